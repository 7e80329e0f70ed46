"""What every file store must do, asked of each."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ohmstead.adapters.storage.directory import DirectoryStorage
from ohmstead.adapters.storage.s3 import S3Storage
from ohmstead.core.errors import ExternalFailure, NotFound
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.spool import NoRoom, Spool, TooLarge
from tests.files.bucket import Bucket, open_bucket


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    async with open_bucket() as opened:
        yield opened


@pytest.fixture(params=["directory", "directory without links", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, bucket: Bucket) -> Storage:
    if request.param == "s3":
        return S3Storage(bucket.url)
    if request.param == "directory":
        return DirectoryStorage(tmp_path / "store")
    other = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path
    return DirectoryStorage(other / f"ohmstead-store-{os.getpid()}-{os.urandom(4).hex()}")


async def kept(storage: Storage, tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "file"
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    await storage.keep(path, sha256)
    path.unlink()
    return sha256


async def read(storage: Storage, sha256: str, first: int = 0, n_bytes: int | None = None) -> bytes:
    return b"".join([piece async for piece in storage.read(sha256, first, n_bytes)])


async def test_what_is_kept_is_read_whole_and_in_parts(storage: Storage, tmp_path: Path) -> None:
    data = os.urandom(700_001)
    sha256 = await kept(storage, tmp_path, data)
    assert await read(storage, sha256) == data
    assert await read(storage, sha256, 600_000) == data[600_000:]
    assert await read(storage, sha256, 10, 300_000) == data[10:300_010]
    assert await read(storage, sha256, 10, 0) == b""
    await storage.drop(sha256)


async def test_a_large_file_comes_in_pieces(storage: Storage, tmp_path: Path) -> None:
    data = os.urandom(12 * 1024 * 1024)
    sha256 = await kept(storage, tmp_path, data)
    sizes = [len(piece) async for piece in storage.read(sha256)]
    assert sum(sizes) == len(data)
    assert max(sizes) < 2 * 1024 * 1024
    assert await read(storage, sha256, len(data) - 5) == data[-5:]
    await storage.drop(sha256)


async def test_keeping_twice_is_keeping_once_and_what_is_dropped_is_gone(storage: Storage, tmp_path: Path) -> None:
    sha256 = await kept(storage, tmp_path, b"twice")
    assert await kept(storage, tmp_path, b"twice") == sha256
    assert await read(storage, sha256) == b"twice"
    await storage.drop(sha256)
    await storage.drop(sha256)
    with pytest.raises(NotFound):
        await read(storage, sha256)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "z" * 64, "A" * 64, "/" * 64])
async def test_a_name_that_is_no_digest_is_nothing(storage: Storage, name: str) -> None:
    with pytest.raises(NotFound):
        await read(storage, name)


async def test_a_bucket_is_asked_with_a_signature_and_under_its_prefix(bucket: Bucket, tmp_path: Path) -> None:
    sha256 = await kept(S3Storage(bucket.url), tmp_path, b"signed")
    assert list(bucket.objects) == [f"/stuff/ohm/{sha256[:2]}/{sha256}"]
    (authorization,) = bucket.authorizations
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=key-id/")
    assert "eu-central-1/s3" in authorization


async def test_a_bucket_that_refuses_is_an_honest_failure_and_keeps_nothing(bucket: Bucket, tmp_path: Path) -> None:
    bucket.fails_with = 403
    storage = S3Storage(bucket.url)
    with pytest.raises(ExternalFailure):
        await kept(storage, tmp_path, b"refused")
    with pytest.raises(ExternalFailure):
        await read(storage, "0" * 64)
    assert bucket.objects == {}


async def test_a_directory_holds_only_whole_files(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path / "store")
    sha256 = await kept(storage, tmp_path, b"whole")
    files = [p for p in (tmp_path / "store").rglob("*") if p.is_file()]
    assert [p.name for p in files] == [sha256]


# ------------------------------------------------------------------------------------------------------- the spool


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_file_is_whole_with_its_digests_and_gone_afterwards(tmp_path: Path) -> None:
    async with Spool(tmp_path, kept_free=0).receive(pieces(b"a", b"b", b"c"), 3) as received:
        assert received.path.read_bytes() == b"abc"
        assert received.sha256 == hashlib.sha256(b"abc").hexdigest()
        assert received.md5 == hashlib.md5(b"abc").hexdigest()
    assert list(tmp_path.iterdir()) == []


async def test_too_much_is_refused_with_the_piece_that_is_too_much(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        async with Spool(tmp_path, kept_free=0).receive(pieces(b"aa", b"aa"), 3):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_the_last_of_the_disk_is_not_for_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path, kept_free=1 << 60)
    with pytest.raises(NoRoom):
        spool.check_room(1)
    with pytest.raises(NoRoom):
        async with spool.receive(pieces(b"a"), 3):
            pass
    with pytest.raises(NoRoom):
        Spool(tmp_path, kept_free=0).check_room(1 << 60)


async def test_what_is_still_being_received_is_not_swept(tmp_path: Path) -> None:
    spool, other = Spool(tmp_path, kept_free=0), Spool(tmp_path, kept_free=0)

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        assert other.sweep(older_than_s=-1) == 0
        yield b"b"

    async with spool.receive(slow(), 3) as received:
        assert received.size_bytes == 2
    (tmp_path / "dead.part").write_bytes(b"left behind")
    assert other.sweep(older_than_s=60) == 0
    assert other.sweep(older_than_s=-1) == 1

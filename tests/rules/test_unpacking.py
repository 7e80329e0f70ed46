"""Logs are taken apart without believing them."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ohmstead.core.errors import Refused
from ohmstead.stations.files.unpacking import Limits, Unpacked, directory_bytes, unpack

Opens = Callable[..., dict[str, Unpacked]]


@pytest.fixture
def opens(tmp_path: Path) -> Opens:
    """Unpacks bytes; gives what was inside by path."""

    def opening(data: bytes, name: str = "up.bin", **limits: int) -> dict[str, Unpacked]:
        source, into = tmp_path / "source", tmp_path / "into"
        source.write_bytes(data)
        into.mkdir(exist_ok=True)
        found = unpack(source, name, into, Limits(**limits))
        for one in found:
            assert one.file is None or one.file.resolve().parent in (into.resolve(), tmp_path.resolve())
        return {one.path: one for one in found}

    return opening


def text_of(one: Unpacked) -> bytes:
    assert one.file is not None
    return one.file.read_bytes()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return out.getvalue()


def test_a_plain_file_is_itself(opens: Opens) -> None:
    found = opens(b"2026 boot\n", "today.log")
    assert text_of(found["today.log"]) == b"2026 boot\n"
    assert found["today.log"].is_text
    assert not opens(b"\0\1\2", "x.bin")["x.bin"].is_text


def test_a_zip_a_gzip_a_tar_and_each_in_the_other_are_unpacked(opens: Opens) -> None:
    log = b"boot\n"
    assert text_of(opens(zipped({"a/b.log": log}), "d.zip")["d.zip/a/b.log"]) == log
    assert text_of(opens(gzip.compress(log), "b.log.gz")["b.log"]) == log
    assert text_of(opens(gzip.compress(tarred({"b.log": log})), "d.tgz")["d.tar/b.log"]) == log
    inner = zipped({"day.tar.gz": gzip.compress(tarred({"b.log": log}))})
    found = opens(inner, "d.zip")
    assert text_of(found["d.zip/day.tar/b.log"]) == log


def test_names_in_archives_lead_nowhere(opens: Opens, tmp_path: Path) -> None:
    evil = {"../../../escaped.log": b"1", "/abs.log": b"2", "..\\win.log": b"3", "a\u202eb.log": b"4"}
    assert set(opens(zipped(evil), "z")) == {"z/escaped.log", "z/abs.log", "z/win.log", "z/ab.log"}
    assert set(opens(tarred({"../t.log": b"1"}), "t")) == {"t/t.log"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["into", "source"]


def test_links_and_devices_are_named_and_not_followed(opens: Opens) -> None:
    link, hard, device = tarfile.TarInfo("passwd"), tarfile.TarInfo("hard"), tarfile.TarInfo("null")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/shadow"
    device.type = tarfile.CHRTYPE
    found = opens(tarred({"a": b"x"}, link, hard, device), "t")
    for name in ("passwd", "hard", "null"):
        assert found[f"t/{name}"].file is None
        assert "not a file" in (found[f"t/{name}"].note or "")


def test_bombs_are_refused_before_they_fill_the_disk(opens: Opens, tmp_path: Path) -> None:
    zeros = bytes(64 * 1024 * 1024)
    bombs = [
        gzip.compress(zeros, 9),
        gzip.compress(gzip.compress(bytes(200 * 1024 * 1024), 9), 9),
        zipped({"a": zeros}),
        zipped({f"{n}.gz": gzip.compress(bytes(8 * 1024 * 1024), 9) for n in range(8)}),
    ]
    for bomb in bombs:
        with pytest.raises(Refused, match="unpacks to more than"):
            opens(bomb)
        written = sum(p.stat().st_size for p in (tmp_path / "into").iterdir())
        assert written < 60 * 1024 * 1024
        for path in (tmp_path / "into").iterdir():
            path.unlink()


def test_a_sparse_tar_counts_as_what_it_becomes(opens: Opens) -> None:
    info = tarfile.TarInfo("hole")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(format=tarfile.GNU_FORMAT))
    head[386:398] = b"00000000000\0"
    head[398:410] = b"00000000000\0"
    head[483:495] = b"77777777777\0"  # 8 GB of nothing
    head[148:156] = b"        "
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    with pytest.raises(Refused, match="unpacks to more than"):
        opens(bytes(head) + bytes(1024), most_bytes=1 << 26)


def test_too_many_files_are_refused_however_small(opens: Opens) -> None:
    many = {f"{n}": b"" for n in range(60)}
    for data in (zipped(many), tarred(many), zipped({"t.tar": tarred(many)})):
        with pytest.raises(Refused):
            opens(data, most_members=50)
    folders = [tarfile.TarInfo(f"{n}") for n in range(60)]
    for folder in folders:
        folder.type = tarfile.DIRTYPE
    with pytest.raises(Refused):
        opens(tarred({}, *folders), most_members=50)


def test_a_zip_whose_directory_is_larger_than_its_files_could_need_is_not_even_opened(
    opens: Opens, tmp_path: Path
) -> None:
    data = bytearray(zipped({str(n): b"x" for n in range(100)}))
    (tmp_path / "z").write_bytes(data)
    assert 4000 < directory_bytes(tmp_path / "z") < 10_000
    with pytest.raises(Refused, match="directory"):
        opens(bytes(data), most_members=3)
    at = data.rfind(b"PK\x05\x06")
    struct.pack_into("<L", data, at + 12, 0x7FFFFFFF)
    (tmp_path / "z").write_bytes(data)
    assert directory_bytes(tmp_path / "z") == len(data)


def test_a_tar_header_of_unreasonable_length_is_damage_and_takes_no_memory(opens: Opens) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    found = opens(info.tobuf(format=tarfile.GNU_FORMAT) + os.urandom(2048), "t")
    assert "damaged" in (found["t"].note or "")


def test_archives_in_archives_end_somewhere(opens: Opens) -> None:
    data = b"deep"
    for n in range(6):
        data = zipped({f"{n}.zip": data})
    (found,) = opens(data, "z").values()
    assert found.note == "archives within archives: not unpacked further"
    assert found.path == "z/5.zip/4.zip/3.zip"


@pytest.mark.parametrize("keeps", [0.3, 0.6, 0.95])
def test_what_is_cut_off_is_read_as_far_as_it_goes(opens: Opens, keeps: float) -> None:
    log = b"".join(f"line {n} {os.urandom(8).hex()}\n".encode() for n in range(5000))
    packed = gzip.compress(log)
    found = opens(packed[: int(len(packed) * keeps)], "a.log.gz")
    assert log.startswith(text_of(found["a.log"]))
    assert found["a.log"].size_bytes > 0
    assert "damaged" in (found["a.log"].note or "")
    torn = opens(zipped({"a": log}, zipfile.ZIP_STORED)[: int(len(log) * keeps)], "z")
    assert any("damaged" in (one.note or "") for one in torn.values())


def test_a_locked_zip_says_so(opens: Opens) -> None:
    data = bytearray(zipped({"a": b"x"}))
    at = data.find(b"PK\x01\x02")
    data[at + 8] |= 1
    assert opens(bytes(data), "z")["z/a"].note == "locked with a password"


def test_noise_is_never_more_than_a_file(opens: Opens) -> None:
    for head in (b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"PK\x05\x06"):
        for _ in range(20):
            found = opens(head + os.urandom(400))
            assert len(found) <= 3
    ustar = bytearray(os.urandom(1024))
    ustar[257:262] = b"ustar"
    assert len(opens(bytes(ustar))) <= 1

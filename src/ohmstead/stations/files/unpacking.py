"""What a station packed into a log, taken apart without believing anything it says about itself.

Files are written under numbers of ours, never under names from an archive. Everything that comes out counts against one
budget: bytes in all, bytes for each byte that came, files, archives within archives.
"""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol, cast

from msgspec import Struct

from ohmstead.core.errors import Refused
from ohmstead.stations.files.names import safe_path

_PIECE = 1 << 16
_LONGEST_SIP = 1 << 22
_RATIO_FREE = 16 * 1024 * 1024  # so little may grow by any factor
_DIRECTORY_ENTRY = 1024  # bytes of a zip's directory for each file we would take


class Limits(Struct, frozen=True, kw_only=True):
    """`most_ratio`: bytes out for each byte that was uploaded."""

    most_bytes: int = 2 * 1024**3
    most_members: int = 2000
    most_ratio: int = 200
    deepest: int = 3


class Unpacked(Struct, kw_only=True):
    """A file that was inside. `file` is None where `note` says why it could not be had."""

    path: str
    file: Path | None
    size_bytes: int = 0
    is_text: bool = False
    note: str | None = None


class _Readable(Protocol):
    def read1(self, n: int = -1, /) -> bytes: ...


def unpack(source: Path, name: str, into: Path, limits: Limits) -> list[Unpacked]:
    """All files of an upload, at least itself. Raises Refused when it would unpack to more than `limits` allow."""
    return _Unpacking(source, into, limits).all_of(name)


class _Unpacking:
    def __init__(self, source: Path, into: Path, limits: Limits) -> None:
        self._source = source
        self._into = into
        self._limits = limits
        grown = source.stat().st_size * limits.most_ratio + _RATIO_FREE
        self._most = min(limits.most_bytes, grown)
        self._n_bytes = 0
        self._n_files = 0
        self._found: list[Unpacked] = []

    def all_of(self, name: str) -> list[Unpacked]:
        waiting: deque[tuple[Path, str, int]] = deque([(self._source, safe_path(name), 0)])
        while waiting:
            file, path, depth = waiting.popleft()
            inside = self._inside(file, path) if depth < self._limits.deepest else None
            if inside is None:
                too_deep = depth >= self._limits.deepest and _kind(file) is not None
                self._leaf(file, path, "archives within archives: not unpacked further" if too_deep else None)
                continue
            for member in inside:
                if member.file is None:
                    self._add(member)
                else:
                    waiting.append((member.file, member.path, depth + 1))
                if len(waiting) + len(self._found) > self._limits.most_members:
                    raise Refused(f"more than {self._limits.most_members} files inside")
            if file != self._source:
                file.unlink()
        return self._found

    def _leaf(self, file: Path, path: str, note: str | None) -> None:
        with file.open("rb") as opened:
            is_text = looks_like_text(opened.read(8192))
        self._add(Unpacked(path=path, file=file, size_bytes=file.stat().st_size, is_text=is_text, note=note))

    def _add(self, member: Unpacked) -> None:
        self._found.append(member)

    def _inside(self, file: Path, path: str) -> Iterator[Unpacked] | None:
        kind = _kind(file)
        if kind == "gzip":
            return self._gunzip(file, path)
        if kind == "zip":
            return self._unzip(file, path)
        if kind == "tar":
            return self._untar(file, path)
        return None

    def _gunzip(self, file: Path, path: str) -> Iterator[Unpacked]:
        inner = path[: -len(path.rpartition(".")[2]) - 1] if path.lower().endswith((".gz", ".tgz")) else path
        inner += ".tar" if path.lower().endswith(".tgz") else ""
        with gzip.open(file) as packed:
            yield self._copy(packed, inner or "file")

    def _unzip(self, file: Path, path: str) -> Iterator[Unpacked]:
        if directory_bytes(file) > self._limits.most_members * _DIRECTORY_ENTRY:
            raise Refused("the zip's directory is larger than its files could need")
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if info.is_dir():
                        continue
                    inner = f"{path}/{safe_path(info.filename)}"
                    if info.flag_bits & 1:
                        yield Unpacked(path=inner, file=None, size_bytes=info.file_size, note="locked with a password")
                        continue
                    try:
                        opened = archive.open(info)
                    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
                        yield Unpacked(path=inner, file=None, note=f"damaged: {error}"[:200])
                        continue
                    with opened:
                        yield self._copy(cast(_Readable, opened), inner)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            yield Unpacked(path=path, file=None, note=f"damaged: {error}"[:200])

    def _untar(self, file: Path, path: str) -> Iterator[Unpacked]:
        with file.open("rb") as raw:
            try:
                archive = tarfile.TarFile(fileobj=cast(IO[bytes], _Sipping(raw)))
                for number, info in enumerate(archive):
                    if number >= self._limits.most_members:
                        raise Refused(f"more than {self._limits.most_members} files inside")
                    if info.isdir():
                        continue
                    inner = f"{path}/{safe_path(info.name)}"
                    opened = archive.extractfile(info) if info.isreg() else None
                    if opened is None:
                        yield Unpacked(path=inner, file=None, note="a link or a device, not a file")
                    else:
                        yield self._copy(cast(_Readable, opened), inner)
            except (tarfile.TarError, ValueError, OSError, EOFError) as error:
                yield Unpacked(path=path, file=None, note=f"damaged: {error}"[:200])

    def _copy(self, packed: _Readable, path: str) -> Unpacked:
        self._n_files += 1
        if self._n_files > self._limits.most_members:
            raise Refused(f"more than {self._limits.most_members} files inside")
        target = self._into / str(self._n_files)
        note = None
        with target.open("wb") as out:
            try:
                while piece := packed.read1(_PIECE):
                    self._n_bytes += len(piece)
                    if self._n_bytes > self._most:
                        raise Refused(f"it unpacks to more than {self._most} bytes")
                    out.write(piece)
            except (zipfile.BadZipFile, zlib.error, EOFError, tarfile.TarError, OSError) as error:
                note = f"damaged after {out.tell()} bytes: {error}"[:200]
        if note is not None:
            # What could be read is worth reading, and is not looked into any further.
            self._leaf(target, path, note)
            return Unpacked(path=path + " (rest)", file=None, note=note)
        return Unpacked(path=path, file=target)


class _Sipping:
    """A file whose reader may not take more than a mouthful: headers of a tar say how long they are."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, n: int = -1) -> bytes:
        if not 0 <= n <= _LONGEST_SIP:
            raise tarfile.ReadError("a header of unreasonable length")
        return self._file.read(n)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _kind(file: Path) -> str | None:
    with file.open("rb") as opened:
        head = opened.read(512)
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    return "tar" if head[257:262] == b"ustar" else None


def directory_bytes(file: Path) -> int:
    """How much of a zip its directory is: the library reads that whole before anything else."""
    with file.open("rb") as opened:
        size = file.stat().st_size
        opened.seek(max(0, size - 65_557))
        tail = opened.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < 22:
            return 0
        stated: int = struct.unpack_from("<L", tail, at + 12)[0]
        if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
            (where,) = struct.unpack_from("<Q", tail, at - 12)
            opened.seek(min(where, size))
            record = opened.read(56)
            if len(record) == 56:
                stated = max(stated if stated != 0xFFFFFFFF else 0, struct.unpack_from("<Q", record, 40)[0])
    return min(stated, size)


def looks_like_text(head: bytes) -> bool:
    """Would a person read it?"""
    if b"\0" in head:
        return False
    n_odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return n_odd * 50 <= len(head)

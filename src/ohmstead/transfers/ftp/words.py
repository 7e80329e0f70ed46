"""What is said on an FTP control connection (RFC 959, 2228, 2428, 3659, 4217). Pure."""

from __future__ import annotations

import ipaddress
from posixpath import normpath
from typing import Final

from msgspec import Struct

LONGEST_LINE = 1000
FEATURES: Final = ("AUTH TLS", "EPSV", "PASV", "PBSZ", "PROT", "REST STREAM", "SIZE", "UTF8")


class Said(Struct, frozen=True):
    """A command with its argument; `word` in capitals."""

    word: str
    argument: str


def read(line: bytes) -> Said | None:
    """A line without its end; None when it is no command."""
    # Telnet's signs before ABOR and STAT (RFC 959 §4.1.3) mean nothing here.
    text = line.lstrip(b"\xff\xf4\xf2").rstrip(b"\r\n").decode("utf-8", "replace")
    word, _, argument = text.partition(" ")
    if not (3 <= len(word) <= 4 and word.isascii() and word.isalpha()) or "\0" in text:
        return None
    return Said(word.upper(), argument)


def reply(code: int, *lines: str) -> bytes:
    """An answer, on several lines where it has several."""
    if len(lines) == 1:
        return f"{code} {lines[0]}\r\n".encode()
    middle = "".join(f" {line}\r\n" for line in lines[1:-1])
    return f"{code}-{lines[0]}\r\n{middle}{code} {lines[-1]}\r\n".encode()


def path_of(argument: str) -> str:
    """The one name that a path means from our only directory; empty for that directory itself.

    There is no tree to walk: whatever leads upwards ends at the root, whatever leads elsewhere keeps its slash, which no
    name of ours has.
    """
    return normpath("/" + argument.replace("\\", "/")).lstrip("/")


def passive(address: str, port: int) -> str:
    """The text of 227. Raises ValueError for an address that the command cannot tell (IPv6)."""
    numbers = str(ipaddress.IPv4Address(address)).split(".")
    return f"Entering Passive Mode ({','.join([*numbers, str(port >> 8), str(port & 255)])})."


def port_range(text: str) -> range:
    """`50000-50099` as numbers, both ends included."""
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1)

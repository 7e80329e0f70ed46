"""Contract ids (eMAID, ISO 15118-2 annex H): how they are written, compared and checked. Pure."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

_EMAID = re.compile(r"([A-Z]{2})-?([A-Z0-9]{3})-?([A-Z0-9]{9})(?:-?([A-Z0-9]))?")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Emaid(msgspec.Struct, frozen=True):
    """A contract id: country, provider, instance; `check` is the digit that came with it, None without one."""

    country: str
    provider: str
    instance: str
    check: str | None

    @property
    def uid(self) -> str:
        """The one form under which contracts are kept and compared: 14 capitals and digits, no check digit."""
        return self.country + self.provider + self.instance

    @property
    def is_consistent(self) -> bool:
        """Does the check digit fit, if there is one?"""
        return self.check is None or self.check == check_digit(self.uid)


def parse_emaid(text: str) -> Emaid | None:
    """None for what is no contract id; with hyphens or without, in any case."""
    match = _EMAID.fullmatch(text.strip().upper())
    return Emaid(match[1], match[2], match[3], match[4]) if match else None


def normalised(text: str) -> str:
    """The form under which a contract id is looked up; what is none, or does not fit its check digit, stays as it is."""
    found = parse_emaid(text)
    return found.uid if found is not None and found.is_consistent else text


def of_tag(tag: str) -> str:
    """OCPP 1.6 tells no types: a contract id is recognised by its hyphens or its check digit, anything else is a card."""
    return tag if len(tag) < 15 else normalised(tag)


def check_digit(uid: str) -> str:
    """The check digit of 14 characters (ISO 15118-2 annex H): sums over powers of two matrices, modulo 2 and 3."""
    two, three = (0, 0), (0, 0)
    p1, p2 = _P1, _P2
    for character in uid:
        q, r = _vectors(character)
        two = _plus(two, _times(p1, q), 2)
        three = _plus(three, _times(p2, r), 3)
        p1, p2 = _product(p1, _P1, 2), _product(p2, _P2, 3)
    for candidate in _DIGITS:
        q, r = _vectors(candidate)
        if _plus(two, _times(p1, q), 2) == (0, 0) and _plus(three, _times(p2, r), 3) == (0, 0):
            return candidate
    raise AssertionError("both matrices can be inverted, so one candidate always fits")


_Vector: TypeAlias = tuple[int, int]
_Matrix: TypeAlias = tuple[_Vector, _Vector]
_P1: _Matrix = ((0, 1), (1, 1))
_P2: _Matrix = ((0, 1), (1, 2))


def _vectors(character: str) -> tuple[_Vector, _Vector]:
    value = _DIGITS.index(character)
    return divmod(value // 9, 2), divmod(value % 9, 3)


def _times(m: _Matrix, v: _Vector) -> _Vector:
    return m[0][0] * v[0] + m[0][1] * v[1], m[1][0] * v[0] + m[1][1] * v[1]


def _plus(one: _Vector, other: _Vector, modulus: int) -> _Vector:
    return (one[0] + other[0]) % modulus, (one[1] + other[1]) % modulus


def _product(a: _Matrix, b: _Matrix, modulus: int) -> _Matrix:
    def cell(i: int, j: int) -> int:
        return (a[i][0] * b[0][j] + a[i][1] * b[1][j]) % modulus

    return (cell(0, 0), cell(0, 1)), (cell(1, 0), cell(1, 1))

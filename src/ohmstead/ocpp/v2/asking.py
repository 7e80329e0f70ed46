"""OCPP 2.x, us → station: how a call is made and what its answer means; shared by the themes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.core.portions import portions
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.rpc import to_json
from ohmstead.ocpp.v2 import messages as m
from ohmstead.stations.orders import CertificateRef, TokenRef

T = TypeVar("T")
_GOOD = frozenset(("Accepted", "AcceptedCanceled", "Unlocked", "Unpublished", "Scheduled", "RebootRequired"))
# The station did look, and has nothing of the kind.
NOTHING = frozenset(("EmptyResultSet", "NoProfiles", "NotFound", "Unknown", "NoTariff"))
_ALGORITHMS: dict[str, Any] = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
_SAID_ALGORITHMS: dict[str, Any] = {said: ours for ours, said in _ALGORITHMS.items()}
_FRAME_BYTES = 100  # around the items: brackets, a message id, the names of action and fields, a request id


def read_raw(answer: msgspec.Struct) -> Result:
    """What an answer to any message means: its status where it has one."""
    status = getattr(answer, "status", None)
    if status is None or status in _GOOD:
        return Result("accepted")
    return Result("rejected", told(status, getattr(answer, "status_info", None)))


def read_found(answer: msgspec.Struct) -> Result:
    """What an answer to a question means: a station that has nothing of the kind did answer it."""
    status = getattr(answer, "status", None)
    return Result("accepted", status) if status in NOTHING else read_raw(answer)


def told(status: str, info: m.StatusInfoType | None) -> str:
    """The station's word with its reason, if it gave one."""
    if info is None:
        return status
    more = f": {info.additional_info}" if info.additional_info else ""
    return f"{status} ({info.reason_code}{more})"


def call(action: str, payload: msgspec.Struct, read: Callable[[Any], Result] = read_raw) -> Outgoing:
    return Outgoing(action=action, payload=to_json(payload), read=read)


def some(items: Sequence[T] | Iterable[T]) -> list[T] | None:
    """A list, or nothing: the schemas know no empty ones."""
    return list(items) or None


def token(ref: TokenRef) -> m.IdTokenType:
    return m.IdTokenType(id_token=ref.uid, type=ref.type)


def certificate(ref: CertificateRef) -> m.CertificateHashDataType:
    return m.CertificateHashDataType(
        hash_algorithm=_ALGORITHMS[ref.hash_algorithm],
        issuer_name_hash=ref.issuer_name_hash,
        issuer_key_hash=ref.issuer_key_hash,
        serial_number=ref.serial_number,
    )


def certificate_ref(told: m.CertificateHashDataType | m.OCSPRequestDataType) -> CertificateRef:
    """The other way round."""
    return CertificateRef(
        hash_algorithm=_SAID_ALGORITHMS[told.hash_algorithm],
        issuer_name_hash=told.issuer_name_hash,
        issuer_key_hash=told.issuer_key_hash,
        serial_number=told.serial_number,
    )


def number(given: int | None) -> int:
    """An id that orders have from the desk; those made elsewhere may lack it."""
    return given if given is not None else 1


def parts(items: Sequence[T], most_items: int | None, most_bytes: int | None, action: str) -> list[list[T]]:
    """Items shared out to messages so that each has no more of them, and no more bytes, than the station takes.

    Raises Refused when one item alone is too big.
    """
    room = most_bytes - _FRAME_BYTES - 2 * len(action) if most_bytes else None

    def size_of(item: T) -> int:
        size = len(to_json(item)) + 1
        if room is not None and size > room:
            raise Refused(f"one item takes {size} bytes, and this station takes messages of {most_bytes}")
        return size

    return portions(items, most_items, room, size_of) or [[]]

"""What a station's variables are to be by the templates that fit it, and how far they are from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.stations.device.tree import Known, parts_of

Generation: TypeAlias = Literal["1.6", "2.x"]
State: TypeAlias = Literal["same", "differs", "waits_for_restart", "refused", "read_only", "unknown"]

_PLACE = re.compile(r"\{([a-z_]+)\}")
_NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?$")
PLACEHOLDERS = ("station_id", "name", "location", "serial_number", "vendor", "model")


class Subject(Struct, frozen=True, kw_only=True):
    """What templates look at in a station."""

    station_id: str
    party_id: UUID
    generation: Generation | None
    name: str = ""
    location_id: UUID | None = None
    location: str = ""
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial_number: str = ""


class Rule(Struct, frozen=True, kw_only=True):
    """A template as far as decisions need it. Patterns know `*` and `?`, and no case."""

    template_id: UUID
    name: str
    generation: Generation
    priority: int = 0
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    location_id: UUID | None = None
    station_ids: list[str] | None = None
    variables: dict[str, str] = {}
    resets_on_idle: bool = False


class Desired(Struct, frozen=True, kw_only=True):
    """What a variable is to be, and which template says so; `over`: those whose word it overrides."""

    name: str
    value: str
    template_id: UUID
    template: str
    over: tuple[str, ...] = ()


class Refusal(Struct, frozen=True, kw_only=True):
    """The station would not take this value."""

    value: str
    reason: str
    retry_at: datetime


class Drift(Struct, frozen=True, kw_only=True):
    """A variable as it is to be and as it is."""

    name: str
    state: Annotated[State, Meta(description="unknown: the station has not told it, or does not have it.")]
    desired: str
    actual: str | None
    template_id: UUID
    template: str
    over: Annotated[tuple[str, ...], Meta(description="Templates of lower priority that say something else.")] = ()
    reason: Annotated[str | None, Meta(description="Of a refusal, as the station words it.")] = None
    retry_at: datetime | None = None


def fits(pattern: str | None, text: str) -> bool:
    """Does a text fit a pattern with `*` and `?`, whatever its case? No pattern fits all."""
    return pattern is None or fnmatchcase(text.lower(), pattern.lower())


def applies(rule: Rule, subject: Subject) -> bool:
    """Does the template fit the station?"""
    return (
        rule.generation == subject.generation
        and fits(rule.vendor, subject.vendor)
        and fits(rule.model, subject.model)
        and fits(rule.firmware, subject.firmware)
        and (rule.location_id is None or rule.location_id == subject.location_id)
        and (rule.station_ids is None or subject.station_id in rule.station_ids)
    )


def unknown_placeholders(value: str) -> list[str]:
    """Words in braces that stand for nothing."""
    return [word for word in _PLACE.findall(value) if word not in PLACEHOLDERS]


def filled(value: str, subject: Subject) -> str:
    """A template's value for this station."""
    return _PLACE.sub(lambda m: str(getattr(subject, m[1])) if m[1] in PLACEHOLDERS else m[0], value)


def desired_for(rules: Iterable[Rule], subject: Subject) -> dict[str, Desired]:
    """What the station's variables are to be, by name. The higher priority wins; of two equal ones, the name that comes
    first."""
    found: dict[str, Desired] = {}
    for rule in sorted((r for r in rules if applies(r, subject)), key=lambda r: (-r.priority, r.name, r.template_id)):
        for name, value in rule.variables.items():
            text = filled(value, subject)
            winner = found.get(name)
            if winner is None:
                found[name] = Desired(name=name, value=text, template_id=rule.template_id, template=rule.name)
            elif not is_same(winner.value, text):
                found[name] = Desired(
                    name=name,
                    value=winner.value,
                    template_id=winner.template_id,
                    template=winner.template,
                    over=(*winner.over, rule.name),
                )
    return found


def is_same(one: str | None, other: str | None, data_type: str | None = None) -> bool:
    """Do two texts say the same? Booleans whatever their case, numbers whatever their form, lists whatever their order
    (but for a SequenceList)."""
    if one is None or other is None:
        return one is other
    return _meaning(one, data_type) == _meaning(other, data_type)


def _meaning(text: str, data_type: str | None) -> object:
    kind = (data_type or "").lower().replace("_", "")
    text = text.strip()
    if kind in ("string", "optionlist", "datetime"):
        return text
    if "," in text or kind in ("memberlist", "sequencelist"):
        items = [_meaning(part, None) for part in text.split(",") if part.strip()]
        return tuple(items) if kind == "sequencelist" else frozenset(items)
    if text.lower() in ("true", "false"):
        return text.lower()
    if kind == "boolean" and text in ("0", "1"):
        return "true" if text == "1" else "false"
    if _NUMBER.match(text):
        try:
            # As text, so that 1 is not the same as true.
            return ("number", Decimal(text).normalize())
        except InvalidOperation:
            return text
    return text


def drift(
    desired: Mapping[str, Desired],
    known: Mapping[tuple[str, str], Known],
    refusals: Mapping[str, Refusal],
    generation: Generation,
) -> list[Drift]:
    """Every desired variable beside what is known of it, by name. A refusal counts for the value that was refused."""
    found = []
    for name, wish in sorted(desired.items()):
        one = known.get(parts_of(name, generation))
        refusal = refusals.get(name)
        if refusal is not None and refusal.value != wish.value:
            refusal = None
        state = _state(wish, one, refusal)
        found.append(
            Drift(
                name=name,
                state=state,
                desired=wish.value,
                actual=one.value if one is not None else None,
                template_id=wish.template_id,
                template=wish.template,
                over=wish.over,
                reason=refusal.reason if refusal is not None and state == "refused" else None,
                retry_at=refusal.retry_at if refusal is not None and state == "refused" else None,
            )
        )
    return found


def _state(wish: Desired, one: Known | None, refusal: Refusal | None) -> State:
    if one is not None and one.pending_value is not None and is_same(one.pending_value, wish.value, one.data_type):
        return "waits_for_restart"
    if one is not None and one.value is not None and is_same(one.value, wish.value, one.data_type):
        return "same"
    if refusal is not None:
        return "refused"
    if one is None:
        return "unknown"
    return "read_only" if one.is_read_only else "differs"


def to_set(found: Sequence[Drift], at: datetime) -> list[Drift]:
    """Those that are to be written now: they differ, and no refusal is too recent."""
    return [d for d in found if d.state == "differs" or (d.state == "refused" and d.retry_at and d.retry_at <= at)]


def retry_after_s(tries: int) -> float:
    """How long to leave a station alone with a value that it refused so many times: ten minutes, then twice as long
    each time, up to a day."""
    return min(600.0 * 2.0 ** min(max(tries, 1) - 1, 20), 86_400.0)

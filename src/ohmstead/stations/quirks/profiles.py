"""Quirk profiles: what they say, which stations they fit, and what several of them come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.validation import fault_of


class Match(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stations: patterns with `*` and `?`, whatever their case; what is left out fits all. At least a vendor."""

    vendor: Annotated[str, Meta(min_length=1, max_length=100)]
    model: str = "*"
    firmware: str = "*"
    version: Literal["1.6", "2.0.1", "2.1"] | None = None


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measurand whose numbers are wrong by a factor: what is reported × `times` is what is meant."""

    measurand: Annotated[str, Meta(min_length=1, max_length=60)]
    times: Decimal
    unit: Annotated[str | None, Meta(description="Only of values reported in this unit.")] = None

    def __post_init__(self) -> None:
        if not self.times.is_finite() or self.times <= 0:
            raise ValueError("Expected a number above 0")


class Effects(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is different. Everything left out is as the specification says."""

    authorization_key: Annotated[
        Literal["hex", "raw"] | None,
        Meta(description="raw: it takes the key as text of at most 20 characters, not as hexadecimal digits of bytes."),
    ] = None
    rate_unit: Annotated[Literal["A", "W"] | None, Meta(description="The only unit of charging limits it obeys.")] = (
        None
    )
    highest_stack_level: Annotated[int, Meta(ge=0, le=1000)] | None = None
    lowest_stack_level: Annotated[int, Meta(ge=0, le=1000)] | None = None
    corrections: list[Correction] = []
    accepts_profiles_in_vain: Annotated[
        bool, Meta(description="It answers Accepted to charging profiles that it does not carry out.")
    ] = False
    id_case: Annotated[Literal["upper", "lower"] | None, Meta(description="It knows tokens by this case only.")] = None
    carrier: Annotated[
        Literal["http", "ftp", "ftps"] | None,
        Meta(description="How it fetches and sends files, whatever it says of itself; where it is offered."),
    ] = None
    connectors_from_zero: Annotated[bool, Meta(description="It counts its connectors from 0, not from 1.")] = False
    never_sends: Annotated[
        list[str], Meta(description="Messages it does not send by itself; they are asked for after it connects.")
    ] = []


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    match: Match
    because: Annotated[str, Meta(min_length=1, max_length=2000, description="What was seen.")]
    source: Annotated[str, Meta(min_length=1, max_length=500, description="Where it is documented.")]
    effects: Effects


NOTHING = Effects()


def parse(text: bytes, where: str) -> Profile:
    """A profile from YAML. Raises Invalid that names file, field and rule."""
    try:
        return msgspec.yaml.decode(text, type=Profile)
    except msgspec.ValidationError as error:
        field, rule = fault_of(error)
        raise Invalid(f"{where}: {field}: {rule}" if field else f"{where}: {rule}", field=field) from error
    except msgspec.DecodeError as error:
        raise Invalid(f"{where}: not YAML: {error}") from error


def fits(profile: Profile, *, vendor: str | None, model: str | None, firmware: str | None, version: str | None) -> bool:
    """Is it a profile of this station? One that never told its vendor has none."""
    match = profile.match
    return (
        vendor is not None
        and _like(vendor, match.vendor)
        and _like(model or "", match.model)
        and _like(firmware or "", match.firmware)
        and match.version in (None, version)
    )


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.strip().lower(), pattern.lower())


def together(profiles: Iterable[Profile]) -> Effects:
    """What several profiles come to: the later one wins where two speak of the same; lists add up."""
    found = NOTHING
    for profile in profiles:
        said = {
            name: value
            for name in Effects.__struct_fields__
            if (value := getattr(profile.effects, name)) != getattr(NOTHING, name)
        }
        for name in ("corrections", "never_sends"):
            if name in said:
                said[name] = [*getattr(found, name), *said[name]]
        found = msgspec.structs.replace(found, **said)
    return found


def corrected(value: Decimal, measurand: str, unit: str, corrections: Sequence[Correction]) -> Decimal:
    """A value as it is meant."""
    for one in corrections:
        if one.measurand == measurand and one.unit in (None, unit):
            return value * one.times
    return value

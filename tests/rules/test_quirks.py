"""Quirk profiles: what they fit, what is wrong with them, what they come to, and each that comes along."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ohmstead.accounts.access import ACTIONS
from ohmstead.console.keys import WORDS
from ohmstead.console.settings import EFFECTS
from ohmstead.core.errors import Invalid
from ohmstead.ocpp.quirks import adapted, mend
from ohmstead.ocpp.work import NOTHING, Work
from ohmstead.sessions.model import MeterSample, Reading, TransactionReport
from ohmstead.stations.commands import RemoteStart, Reset, SetAvailability, Unlock
from ohmstead.stations.model import Station, StatusReport
from ohmstead.stations.orders import CompositeSchedule, ListedToken, Reserve, SendLocalList, TokenRef
from ohmstead.stations.quirks import profiles
from ohmstead.stations.quirks.book import SHIPPED, QuirkBook
from ohmstead.stations.quirks.profiles import Correction, Effects, Match, Profile

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STATION = Station(
    station_id="ST", party_id=UUID(int=1), registration="accepted", security_profile=0, evse_power_w={1: 11_000}
)
GOOD = """
name: Some make
match: {vendor: "Some*"}
because: seen
source: https://example.org/1
effects: {rate_unit: W}
"""


def profile(effects: Effects, **match: Any) -> Profile:
    return Profile(name="P", match=Match(**{"vendor": "V", **match}), because="b", source="s", effects=effects)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"vendor": "v*"}, True),
        ({"vendor": "W"}, False),
        ({"model": "M-?"}, True),
        ({"model": "N*"}, False),
        ({"firmware": "1.*"}, True),
        ({"firmware": "2.*"}, False),
        ({"version": "1.6"}, True),
        ({"version": "2.1"}, False),
    ],
)
def test_a_profile_fits_by_patterns(match: dict[str, Any], fits: bool) -> None:
    one = profile(Effects(), **match)
    assert profiles.fits(one, vendor="V", model="m-1", firmware="1.2", version="1.6") is fits


def test_a_station_that_told_nothing_of_itself_has_no_quirks() -> None:
    assert not profiles.fits(profile(Effects(), vendor="*"), vendor=None, model=None, firmware=None, version="1.6")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (GOOD.replace("rate_unit: W", "rate_unit: kW"), "effects.rate_unit"),
        (GOOD.replace("rate_unit: W", "colour: red"), "effects.colour"),
        (GOOD.replace('{vendor: "Some*"}', "{}"), "match.vendor"),
        (GOOD.replace("source: https://example.org/1\n", ""), "source"),
        (GOOD.replace("rate_unit: W", "corrections: [{measurand: Voltage, times: 0}]"), "effects.corrections[0]"),
        (GOOD.replace("rate_unit: W", "highest_stack_level: -1"), "effects.highest_stack_level"),
        ("- no\n- profile", ""),
        ("a: [", ""),
    ],
)
def test_what_is_wrong_with_a_profile_is_named(text: str, field: str) -> None:
    with pytest.raises(Invalid, match=r"some\.yaml: ") as refused:
        profiles.parse(text.encode(), "some.yaml")
    assert refused.value.field == field


def test_of_several_profiles_the_later_wins_and_lists_add_up() -> None:
    volts = Correction(measurand="Voltage", times=Decimal("0.1"))
    amps = Correction(measurand="Current.Import", times=Decimal("0.001"))
    found = profiles.together(
        [
            profile(Effects(rate_unit="A", highest_stack_level=3, corrections=[volts])),
            profile(Effects(rate_unit="W", corrections=[amps])),
        ]
    )
    assert found == Effects(rate_unit="W", highest_stack_level=3, corrections=[volts, amps])


def test_profiles_are_read_again_when_they_change_and_a_broken_one_leaves_the_others(tmp_path: Path) -> None:
    own = tmp_path / "some.yaml"
    book = QuirkBook(tmp_path, look_every_s=0)
    n_shipped = len(book.profiles())

    def unit() -> str | None:
        effects = book.effects(vendor="Somebody", model=None, firmware=None, version="1.6")
        return effects.rate_unit if effects else None

    assert unit() is None
    own.write_text(GOOD)
    assert unit() == "W"
    own.write_text(GOOD.replace("rate_unit: W", "rate_unit: A "))
    assert unit() == "A"
    edition = book.edition
    assert unit() == "A"
    assert book.edition == edition
    own.write_text("effects: nonsense")
    assert unit() is None
    assert len(book.profiles()) == n_shipped
    assert book.faults
    assert book.faults[0].startswith("some.yaml: ")
    own.unlink()
    assert (unit(), book.faults) == (None, [])


def test_profiles_that_come_along_are_good_and_say_where_they_are_documented() -> None:
    book = QuirkBook()
    assert len(book.profiles()) == len(list(SHIPPED.glob("*.yaml")))
    assert book.faults == []
    for one in book.profiles():
        assert one.source.startswith("https://")
        assert one.effects != Effects(), one.name


# Each as its station introduced itself where it is documented, and a neighbour that it must not fit.
SHIPPED_FITS = {
    "ABB Terra AC, firmware 1.8": (
        ("ABB", "CDT_TACW22::NET_WIFI", "TAC3Z9119006710273::V1.8.21"),
        ("ABB", "CDT_TACW22::NET_WIFI", "TAC3Z9119006710273::V1.6.6"),
        Effects(highest_stack_level=0),
    ),
    "go-e, profiles of level 0 stay": (
        ("go-e", "go-eCharger_V4", "055.5"),
        ("gofer", "go-eCharger_V4", "055.5"),
        Effects(lowest_stack_level=1),
    ),
    "OpenEVSE 4.2.2, energy in kWh": (
        ("OpenEVSE", "Advanced Series", "v4.2.2"),
        ("OpenEVSE", "Advanced Series", "v5.1.2"),
        Effects(corrections=[Correction(measurand="Energy.Active.Import.Register", unit="Wh", times=Decimal(1000))]),
    ),
}


def test_every_profile_that_comes_along_is_tested() -> None:
    assert {one.name for one in QuirkBook().profiles()} == set(SHIPPED_FITS)


@pytest.mark.parametrize("name", SHIPPED_FITS)
def test_a_profile_that_comes_along_fits_its_station_and_no_other(name: str) -> None:
    station, neighbour, effects = SHIPPED_FITS[name]
    book = QuirkBook()

    def found(vendor: str, model: str, firmware: str) -> Effects | None:
        return book.effects(vendor=vendor, model=model, firmware=firmware, version="1.6")

    assert found(*station) == effects
    assert found(*neighbour) is None


def report(evse_number: int | None, kind: Any = "metered") -> TransactionReport:
    return TransactionReport(
        kind=kind,
        station_id="ST",
        party_id=UUID(int=1),
        ocpp_version="1.6",
        at=NOW,
        received_at=NOW,
        evse_number=evse_number,
        samples=(
            MeterSample(
                sampled_at=NOW,
                readings=(
                    Reading("Energy.Active.Import.Register", Decimal("361"), "Wh"),
                    Reading("Power.Active.Import", Decimal("9451"), "W"),
                ),
            ),
        ),
    )


def test_wrong_numbers_are_put_right_and_right_ones_stay() -> None:
    work = Work(reply=NOTHING, report=report(1))
    energy = Correction(measurand="Energy.Active.Import.Register", unit="Wh", times=Decimal(1000))
    mend(work, Effects(corrections=[energy]), STATION)
    assert work.report is not None
    assert [r.value for r in work.report.samples[0].readings] == [Decimal(361_000), Decimal(9451)]


@pytest.mark.parametrize(("told", "kind", "meant"), [(0, "metered", 1), (1, "metered", 2), (None, "started", 1)])
def test_connectors_counted_from_zero_are_counted_from_one(told: int | None, kind: str, meant: int) -> None:
    status = StatusReport(
        station_id="ST",
        party_id=UUID(int=1),
        evse_number=0,
        connector_number=0,
        at=NOW,
        received_at=NOW,
        status="available",
    )
    work = Work(reply=NOTHING, report=report(told, kind), statuses=(status,))
    mend(work, Effects(connectors_from_zero=True), STATION)
    assert work.report is not None
    assert (work.report.evse_number, work.report.connector_number) == (meant, 1)
    assert [(s.evse_number, s.connector_number) for s in work.statuses] == [(1, 1)]


def test_orders_are_put_the_stations_way() -> None:
    upper = Effects(id_case="upper")
    assert adapted(RemoteStart(token_uid="tag1"), upper) == RemoteStart(token_uid="TAG1")
    told = adapted(SendLocalList(version=1, entries=(ListedToken(uid="aB"),)), Effects(id_case="lower"))
    assert isinstance(told, SendLocalList)
    assert told.entries[0].uid == "ab"
    card, over_at = TokenRef(uid="aB"), datetime(2030, 1, 1, tzinfo=UTC)
    kept = adapted(Reserve(token=card, expires_at=over_at), upper)
    assert kept == Reserve(token=TokenRef(uid="AB"), expires_at=over_at)
    from_zero = Effects(connectors_from_zero=True)
    assert adapted(Unlock(evse_number=1), from_zero) == Unlock(evse_number=0)
    assert adapted(CompositeSchedule(evse_number=0, duration_s=60), from_zero).evse_number == 0  # type: ignore[union-attr]
    assert adapted(SetAvailability(is_operative=True), from_zero) == SetAvailability(is_operative=True)
    assert adapted(Reset(), upper) == Reset()


def test_the_page_has_words_for_every_effect() -> None:
    said = {name.partition("=")[0] for name in EFFECTS} | {"corrections"}
    assert said == set(Effects.__struct_fields__)


def test_the_page_has_words_for_every_scope_of_a_key() -> None:
    assert WORDS.keys() == ACTIONS.keys()

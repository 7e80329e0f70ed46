"""What a station can, read from what it told of itself in its version's own words."""

from typing import get_args

import pytest

from ohmstead.core import language
from ohmstead.stations.capabilities import VERSIONS, capabilities
from ohmstead.stations.features import VARIABLES, Feature, Features, read

OUTLETS = {1: (1,), 2: ()}


def test_keys_of_1_6() -> None:
    found = read(
        "1.6",
        OUTLETS,
        {
            ("", "SupportedFeatureProfiles"): "Core, SmartCharging,RemoteTrigger",
            ("", "ChargeProfileMaxStackLevel"): "8",
            ("", "ChargingScheduleMaxPeriods"): "24",
            ("", "ChargingScheduleAllowedChargingRateUnit"): "Current",
            ("", "GetConfigurationMaxKeys"): "30",
            ("", "SendLocalListMaxLength"): "50",
            ("", "LocalAuthListMaxLength"): "500",
        },
    )
    assert found == Features(
        version="1.6",
        outlets=OUTLETS,
        lacks=frozenset(("reservations", "local_list", "firmware")),
        most_stack_level=8,
        most_periods=24,
        rate_units=frozenset("A"),
        most_list_entries=500,
        most_items={"get_variables": 30, "send_local_list": 50},
    )


def test_variables_of_2_x() -> None:
    found = read(
        "2.0.1",
        OUTLETS,
        {
            ("ReservationCtrlr", "Available"): "False",
            ("SmartChargingCtrlr", "Available"): "true",
            ("SmartChargingCtrlr", "ProfileStackLevel"): "4",
            ("SmartChargingCtrlr", "PeriodsPerSchedule"): "10",
            ("SmartChargingCtrlr", "RateUnit"): "A,W",
            ("DeviceDataCtrlr", "ItemsPerMessage[GetVariables]"): "7",
            ("DeviceDataCtrlr", "BytesPerMessage[SetVariables]"): "5000",
            ("MonitoringCtrlr", "ItemsPerMessage[SetVariableMonitoring]"): "3",
            ("LocalAuthListCtrlr", "ItemsPerMessage"): "20",
        },
    )
    assert found == Features(
        version="2.0.1",
        outlets=OUTLETS,
        lacks=frozenset(("reservations",)),
        most_stack_level=4,
        most_periods=10,
        rate_units=frozenset("AW"),
        most_items={"get_variables": 7, "set_monitors": 3, "send_local_list": 20},
        most_bytes={"set_variables": 5000},
    )


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("value", ["", "nonsense", "-1", "9" * 40, "½"])
def test_nonsense_limits_nothing(version: str, value: str) -> None:
    found = read(version, {}, dict.fromkeys(VARIABLES, value))
    assert found.most_stack_level is None
    assert found.most_periods is None
    assert found.most_items == {}
    assert found.rate_units == frozenset()


@pytest.mark.parametrize("code", [code for code in language.languages() if code != language.ENGLISH])
def test_why_an_order_is_not_possible_is_told_in_every_language(code: str) -> None:
    lacking = [None, *(Features(lacks=frozenset((feature,))) for feature in get_args(Feature))]
    reasons = {one.reason for version in (*VERSIONS, None) for has in lacking for one in capabilities(version, has)}
    with language.speaking(code):
        assert [reason for reason in reasons if reason and language.told(reason) == reason] == []
        # What is told of a version is put together of two parts: neither may stay in English.
        assert [reason for reason in reasons if reason and " no " in language.told(reason)] == []

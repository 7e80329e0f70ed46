"""docs/ocpp.md tells of the code and tests that there are."""

import pytest
from tools import duties, ocpp_table

from tests.architecture.house import PACKAGE


def test_the_page_is_up_to_date() -> None:
    written = ocpp_table.PAGE.read_text()
    assert written == ocpp_table.render(), "run `python tools/ocpp_table.py`"


@pytest.mark.parametrize(
    ("name", "ids", "sentence"),
    [
        ("test_tc_e_31_ended_comes_first", ["E_31"], "ended comes first"),
        ("test_tc_a_11_and_074_a_station_asks", ["A_11", "074"], "a station asks"),
        (
            "test_tc_m_01_to_04_and_075_a_root_is_installed",
            ["M_01", "M_02", "M_03", "M_04", "075"],
            "a root is installed",
        ),
        ("test_tc_b_103_and_e_113_it_goes_on", ["B_103", "E_113"], "it goes on"),
        ("test_tc_017_1_and_017_2_and_030_unlocked", ["017_1", "017_2", "030"], "unlocked"),
        ("test_tc_066_a_1_6_station_is_asked", ["066"], "a 1 6 station is asked"),
        ("test_n11_and_n13_a_stream_is_opened", [], "a stream is opened"),
        ("test_TC_N_36_CSMS_a_second_one", ["N_36"], "a second one"),
        ("test_two_cars_charge", [], "two cars charge"),
    ],
)
def test_the_ids_of_cases_are_read_from_names(name: str, ids: list[str], sentence: str) -> None:
    assert ocpp_table.ids_of(name) == ids
    assert " ".join(ocpp_table.words_after_ids(name)) == sentence


def test_use_cases_are_read_from_names_and_docstrings() -> None:
    assert ocpp_table.use_cases_of("test_a02_a_request_in_another_name", "") == {"A02"}
    assert ocpp_table.use_cases_of("test_L01_firmware_is_sent", "") == {"L01"}
    assert ocpp_table.use_cases_of("test_n11_and_n13_a_stream_is_opened", "") == {"N11", "N13"}
    assert ocpp_table.use_cases_of("test_it", "As E14.FR.01 and G01 say; not TC_E_31.") == {"E14", "G01"}


def test_parameters_may_name_cases() -> None:
    by_name = {test.name: test for test in ocpp_table.tests()}
    assert {"E_29", "E_30"} <= by_name["test_tc_e_29_and_30_a_transaction_that_goes_on_stays_open"].cases
    assert ocpp_table.cases_in("TC_044_1_CSMS") == {"044_1"}
    assert ocpp_table.cases_in("tc_d_02_and_d_03") == {"D_02", "D_03"}
    assert ocpp_table.cases_in("as TC_A_09 and TC_A_10 ask") == {"A_09", "A_10"}
    assert ocpp_table.cases_in("test_tc_e_31_ended_comes_first") == set()


def test_what_a_test_says_is_found_through_its_helpers() -> None:
    by_name = {test.name: test for test in ocpp_table.tests()}
    through_a_class = by_name["test_tc_j_02_values_of_the_clock_in_a_session_are_its_samples"]
    assert "TransactionEvent" in through_a_class.named
    assert through_a_class.versions == {"2.0.1", "2.1"}
    through_a_function = by_name["test_tc_003_first_the_plug_then_the_card"]
    assert {"StartTransaction", "MeterValues", "StopTransaction"} <= through_a_function.named
    assert through_a_function.versions == {"1.6"}
    assert "BatterySwap" not in through_a_function.named


def test_a_case_whose_test_is_gone_is_not_met() -> None:
    known = ocpp_table.tests()
    without = [test for test in known if "E_31" not in test.cases]
    assert ocpp_table.met(known) - ocpp_table.met(without) == {"E_31"}


def test_every_duty_names_a_module_and_cases_that_are_tested() -> None:
    for duty in duties.DUTIES:
        assert (PACKAGE / duty.module).is_file(), duty.name
        assert duty.cases, duty.name
        assert all(ocpp_table.tests_of_case(case) for case in duty.cases), duty.name
    names = [duty.name for duty in duties.DUTIES]
    assert len(set(names)) == len(names)

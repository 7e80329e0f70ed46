"""Who may know whom. Each rule is shown a package that breaks it, too."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from importlinter.application import use_cases
from importlinter.application.rendering import render_report
from importlinter.configuration import configure

from tests.architecture import house

configure()

Sample = Callable[[dict[str, str]], str]


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """Makes an importable package of a few files, with every room that the contracts name, and returns its name."""
    name = f"sample_{tmp_path.name.replace('-', '_')}"

    def make(files: dict[str, str]) -> str:
        rooms = "accounts api console core migrations ocpp ocpp/v16 ocpp/v2 sessions simulator stations tokens ui"
        for room in rooms.split():
            (tmp_path / name / room).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / room / "__init__.py").touch()
        modules = "__init__ __main__ app doctor embedded roles runas settings supervisor up"
        for module in modules.split():
            (tmp_path / name / f"{module}.py").touch()
        for path, text in files.items():
            (tmp_path / name / path).write_text(text.replace("ohmstead", name))
        return name

    sys.path.insert(0, str(tmp_path))
    yield make
    sys.path.remove(str(tmp_path))
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def broken_contracts(package: str, tmp_path: Path) -> list[str]:
    text = (house.ROOT / ".importlinter").read_text().replace("ohmstead", package)
    configuration = tmp_path / "contracts.ini"
    configuration.write_text(text)
    options = use_cases.read_user_options(str(configuration))
    use_cases._register_contract_types(options)
    report = use_cases.create_report(options, cache_dir=None)
    if report.contains_failures:
        render_report(report)  # pytest shows it with the failure
    return [contract.name for contract, check in report.get_contracts_and_checks() if not check.kept]


def test_arrows_point_down(tmp_path: Path) -> None:
    assert broken_contracts("ohmstead", tmp_path) == []


def test_an_honest_package_breaks_no_contract(sample: Sample, tmp_path: Path) -> None:
    package = sample({"sessions/service.py": "import ohmstead.stations\nimport ohmstead.core\n"})
    assert broken_contracts(package, tmp_path) == []


@pytest.mark.parametrize(
    ("path", "text", "contract"),
    [
        ("core/money.py", "import ohmstead.sessions", "Arrows point down"),
        ("sessions/service.py", "from ohmstead.ocpp import v16", "Arrows point down"),
        ("stations/service.py", "import ohmstead.tokens", "Arrows point down"),
        ("api/live.py", "import ohmstead.console", "Arrows point down"),
        ("gossip.py", "", "Arrows point down"),
        ("ocpp/v16/inbound.py", "import ohmstead.ocpp.v2", "families"),
        ("core/db.py", "import ohmstead.embedded", "Only the command line"),
    ],
)
def test_a_wrong_import_breaks_its_contract(
    sample: Sample, tmp_path: Path, path: str, text: str, contract: str
) -> None:
    broken = broken_contracts(sample({path: text}), tmp_path)
    assert any(contract in name for name in broken)


def test_pure_files_reach_neither_database_nor_clock_nor_network() -> None:
    assert list(house.impure()) == []


def test_a_pure_file_that_reaches_the_clock_through_another_is_found(sample: Sample) -> None:
    package = sample(
        {
            "core/clock.py": "",
            "sessions/model.py": "from ohmstead.core import clock",
            "sessions/lifecycle.py": "from ohmstead.sessions import model",
        }
    )
    (found,) = house.impure(package)
    assert found.startswith("sessions.lifecycle: reaches")
    assert found.endswith("sessions.model → " + package + ".core.clock")


def test_a_pure_file_that_uses_the_database_driver_is_found(sample: Sample) -> None:
    package = sample({"ocpp/rpc.py": "import asyncpg"})
    assert list(house.impure(package)) == [f"ocpp.rpc: reaches asyncpg: {package}.ocpp.rpc → asyncpg"]


def test_stores_are_used_by_their_own_package_only() -> None:
    assert list(house.foreign_stores()) == []


def test_a_store_used_from_elsewhere_is_found(sample: Sample) -> None:
    package = sample(
        {
            "stations/store.py": "",
            "stations/service.py": "from ohmstead.stations import store",
            "sessions/service.py": "from ohmstead.stations import store",
        }
    )
    assert list(house.foreign_stores(package)) == [f"{package}.sessions.service: imports {package}.stations.store"]


def test_the_simulator_knows_only_the_wire() -> None:
    assert list(house.simulator_imports()) == []


def test_a_simulator_that_looks_into_the_system_is_found(sample: Sample) -> None:
    package = sample(
        {
            "ocpp/rpc.py": "",
            "sessions/model.py": "",
            "simulator/station.py": "from ohmstead.ocpp import rpc\nfrom ohmstead.sessions import model",
        }
    )
    assert list(house.simulator_imports(package)) == [f"{package}.simulator.station: imports {package}.sessions.model"]

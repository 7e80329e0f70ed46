"""docs/ocpp.md from code and tests: `python tools/ocpp_table.py` writes it.

Nothing in it is listed by hand but the ids of certification cases (tests/conformance/cases.txt). Messages and their
directions come from the schemas, meanings from the versions' inbound tables, orders from translating an example of
each, tests from reading their sources: which actions, orders and ids a test names, itself or through helpers.
"""
# ruff: noqa: E402 (the path comes before the imports that need it)

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.rules.order_examples import EXAMPLES

from ohmstead.core.errors import Refused
from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import inbound as inbound2
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v2 import outbound as outbound2
from ohmstead.ocpp.v16 import inbound as inbound16
from ohmstead.ocpp.v16 import messages as v16
from ohmstead.ocpp.v16 import outbound as outbound16
from ohmstead.stations import orders
from ohmstead.stations.features import Features

PAGE = ROOT / "docs" / "ocpp.md"
CASES = ROOT / "tests" / "conformance" / "cases.txt"
TESTS = ROOT / "tests"
ON_THE_WIRE = ("conformance", "stories", "gateway")  # folders whose async tests count for a message
ROUND_TRIPS = (
    "test_every_message_to_a_station_is_answered_by_the_simulated_one",
    "test_every_message_of_a_station_is_answered_and_valid",
)
VERSIONS = tuple(version.value for version in Version)
MOST_SHOWN = 2

HEAD = """# OCPP: messages, duties and tests

Made from code and tests by `python tools/ocpp_table.py`; a test fails when it is out of date. Change the code or the
tests, not this page.

"""
FROM_STATIONS = """## From stations

*Handled*: the message means something to a room of ours. *Recorded*: it is kept whole and acknowledged. The number
counts the tests on the wire that name the message. Besides, every message of every version makes a round trip:
{round_trips}.

| Message | 1.6 | 2.0.1 | 2.1 | Tests |
|---|---|---|---|---|"""
TO_STATIONS = """
## To stations

*Sent*: by one of the neutral orders named; any message may be sent as it stands, too (`raw`). The number counts the
tests on the wire that name the message or one of its orders.

| Message | 1.6 | 2.0.1 | 2.1 | Orders | Tests |
|---|---|---|---|---|---|"""
USE_CASES = """
## Use cases

What tests name besides, by the specification's ids.

| Use case | Tests |
|---|---|"""


# --- messages -------------------------------------------------------------------------------------------------------


def actions(version: str, *, from_station: bool) -> set[str]:
    """What a station of the version may say, or be asked."""
    types = v16 if version == "1.6" else v2
    return set((types.FROM_STATION if from_station else types.TO_STATION) & schemas.actions(Version(version)))


def meaning(version: str, action: str) -> str:
    """What becomes of a message: `recorded` when it is kept and acknowledged, `handled` when it means something."""
    table = inbound16.TABLE if version == "1.6" else inbound2.TABLE
    if action not in table:
        return "refused"
    return "recorded" if table[action][1].__qualname__.partition(".")[0] == "recorded" else "handled"


@cache
def sent_by() -> dict[tuple[str, str], set[type[Any]]]:
    """(version, action) → kinds of order that become this message, by translating every example."""
    found: dict[tuple[str, str], set[type[Any]]] = {}
    for version in VERSIONS:
        calls_for = outbound16.calls_for if version == "1.6" else outbound2.calls_for
        for kind, examples in EXAMPLES.items():
            if kind is orders.Raw:
                continue
            for order in examples:
                try:
                    calls = calls_for(order, "ST-1", Features(version=version))
                except Refused:
                    continue
                for call in calls:
                    found.setdefault((version, call.action), set()).add(kind)
    return found


# --- tests ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Test:
    """A test as its source tells of it. `versions` empty: it does not say."""

    __test__ = False

    name: str
    path: str
    is_on_the_wire: bool
    named: frozenset[str]
    versions: frozenset[str]
    cases: frozenset[str]
    use_cases: frozenset[str]

    @property
    def sentence(self) -> str:
        """The name as a sentence, without the ids at its beginning."""
        return " ".join(words_after_ids(self.name)) or self.name

    @property
    def link(self) -> str:
        return f"[{self.sentence}](../{self.path})"


@dataclass
class Module:
    """A parsed module of tests: what stands at its top, and what it imports from other modules of tests."""

    path: Path
    tree: ast.Module
    tops: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.tops[node.name] = node
            elif isinstance(node, ast.Assign):
                self.tops.update({target.id: node for target in node.targets if isinstance(target, ast.Name)})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.tops[node.target.id] = node
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
                self.imports.update({alias.asname or alias.name: node.module or "" for alias in node.names})


@cache
def module(name: str) -> Module | None:
    """`tests.stories.messages`, parsed."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return Module(path, ast.parse(path.read_text())) if path.is_file() else None


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it but annotations and docstrings: what it does, not what it says of itself."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        children = value if isinstance(value, list) else [value]
        if name == "body" and children and _is_text(children[0]):
            children = children[1:]
        for child in children:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _direct(where: str, name: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Texts and names in something at the top of a module of tests, and what it uses of that module and of others."""
    known = module(where)
    if known is None:
        return frozenset(), frozenset()
    if (top := known.tops.get(name)) is None:
        return frozenset(), frozenset({(known.imports[name], name)} if name in known.imports else ())
    nodes = list(_nodes(top))
    # An argument or a variable is not the thing at the top that has the same name.
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    words, used = set[str](), set[tuple[str, str]]()
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.Name):
            words.add(node.id)
            if node.id not in own and (node.id in known.tops or node.id in known.imports):
                used.add((where, node.id))
    return frozenset(words), frozenset(used)


def _says(where: str, name: str) -> set[str]:
    """What it says itself or through what it uses."""
    found, seen, left = set[str](), set[tuple[str, str]](), [(where, name)]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            words, used = _direct(*one)
            found |= words
            left += used
    return found


_MEMBERS = {"V16": "1.6", "V201": "2.0.1", "V21": "2.1"}


def _versions(arguments: set[str], says: set[str]) -> frozenset[str]:
    if "version" in arguments or "VERSIONS" in says:
        return frozenset(VERSIONS)
    if "version2" in arguments:
        return frozenset(VERSIONS[1:])
    return frozenset(says & set(VERSIONS)) | {_MEMBERS[word] for word in says & set(_MEMBERS)}


@cache
def tests() -> tuple[Test, ...]:
    """Every test there is, by path and name."""
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        where = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        known = module(where)
        assert known is not None
        for name, node in known.tops.items():
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not name.startswith("test_"):
                continue
            says = _says(where, name)
            told = ast.get_docstring(node) or ""
            arguments = {one.arg for one in node.args.args}
            found.append(
                Test(
                    name,
                    path.relative_to(ROOT).as_posix(),
                    path.parent.name in ON_THE_WIRE and isinstance(node, ast.AsyncFunctionDef),
                    frozenset(says),
                    _versions(arguments, says),
                    frozenset(ids_of(name)).union(*(cases_in(text) for text in (told, *says))),
                    frozenset(use_cases_of(name, told)),
                )
            )
    return tuple(found)


_USE_CASES = re.compile(r"[a-s]\d\d(?:_and_[a-s]\d\d)*_")
_CASE = re.compile(r"\b(?:TC_|tc_)([A-Sa-s]_\d{2,3}|\d{3}(?:_\d)?)(?!\d)")


# `test_tc_a_11_and_074_a_sentence`: A_11 and 074 (1.6 has three digits); `test_tc_m_01_to_04_…`: from … to.
def _read_ids(name: str) -> tuple[list[str], list[str]]:
    name = name.lower().removeprefix("test_").replace("_csms_", "_")
    words = name.split("_")
    if words[0] != "tc":
        first = _USE_CASES.match(name)
        return [], name[first.end() :].split("_") if first else words
    found: list[str] = []
    group, is_range, at = "", False, 1
    while at < len(words):
        word, after = words[at], words[at + 1] if at + 1 < len(words) else ""
        if re.fullmatch("[a-s]", word) and re.fullmatch(r"\d{2,3}", after):
            group, at = word.upper(), at + 1
            word = after
        elif word in ("and", "to") and (after.isdigit() or re.fullmatch("[a-s]", after)) and found:
            is_range, at = word == "to", at + 1
            continue
        if not word.isdigit():
            break
        at += 1
        if len(word) == 3 and word.startswith("0"):
            one = word
            if at < len(words) and re.fullmatch(r"\d", words[at]):
                one, at = f"{word}_{words[at]}", at + 1
        else:
            one = f"{group}_{word}"
        if is_range:
            begin, end = (int(text.rpartition("_")[2]) for text in (found[-1], one))
            found += [f"{group}_{number:02}" for number in range(begin + 1, end)]
            is_range = False
        found.append(one)
    return found, words[at:]


def ids_of(name: str) -> list[str]:
    """The certification cases that a test's name begins with."""
    return _read_ids(name)[0]


def words_after_ids(name: str) -> list[str]:
    """What a test's name says after them."""
    return _read_ids(name)[1]


def cases_in(text: str) -> set[str]:
    """Cases that a docstring or a parameter's id names: `TC_E_31`, `tc_b_06`, `TC_044_1_CSMS`; no whole test name."""
    if text.startswith("test_"):
        return set()
    if text.startswith("tc_"):
        return set(ids_of(text))
    return {one.upper() for one in _CASE.findall(text)}


def use_cases_of(name: str, told: str) -> set[str]:
    """Use cases of the specification (`E14`) that a test's name begins with or its docstring names."""
    first = _USE_CASES.match(name.lower().removeprefix("test_"))
    named = {one.upper() for one in first[0].split("_") if re.fullmatch(r"[a-s]\d\d", one)} if first else set()
    return named | set(re.findall(r"\b([A-S]\d\d)(?:\.FR\.\d+)?\b", told))


# --- cases ----------------------------------------------------------------------------------------------------------


def cases() -> dict[str, dict[str, str]]:
    """Group → id → what the case asks."""
    found: dict[str, dict[str, str]] = {}
    for line in CASES.read_text().splitlines():
        if line.startswith("### "):
            found[line.removeprefix("### ")] = {}
        elif line and not line.startswith("#"):
            name, _, text = line.partition(" ")
            found[list(found)[-1]][name] = text
    return found


def tests_of_case(case: str) -> list[Test]:
    """Tests that name a case, or a use case; `075` means all of 075_1, 075_2."""
    return [test for test in tests() if _plays(test, case)]


def _plays(test: Test, case: str) -> bool:
    return case in test.cases | test.use_cases or (case[0].isdigit() and case[:3] in test.cases)


def met(found: Iterable[Test]) -> set[str]:
    """Cases that at least one of the tests plays."""
    known = {case for group in cases().values() for case in group}
    return {case for test in found for case in known if _plays(test, case)}


# --- the page -------------------------------------------------------------------------------------------------------


def tests_of_message(version: str, action: str) -> list[Test]:
    """Tests on the wire that name the message, or an order that becomes it, and run in the version."""
    names = {action} | {kind.__name__ for kind in sent_by().get((version, action), ())}
    return [
        test
        for test in tests()
        if test.is_on_the_wire and test.named & names and (version in test.versions or not test.versions)
    ]


def _shown(found: Iterable[Test]) -> str:
    """The most telling tests: those that name the fewest things."""
    ranked = sorted(set(found), key=lambda test: (not test.cases, len(test.named), test.path, test.name))
    more = f" +{len(ranked) - MOST_SHOWN}" if len(ranked) > MOST_SHOWN else ""
    return "<br>".join(test.link for test in ranked[:MOST_SHOWN]) + more


def _messages(*, from_station: bool) -> Iterator[str]:
    known = {version: actions(version, from_station=from_station) for version in VERSIONS}
    for action in sorted(set().union(*known.values())):
        cells, found = [], set[Test]()
        for version in VERSIONS:
            if action not in known[version]:
                cells.append("–")
                continue
            naming = tests_of_message(version, action)
            found |= set(naming)
            is_sent = (version, action) in sent_by()
            does = meaning(version, action) if from_station else "sent" if is_sent else "raw only"
            cells.append(f"{does}, {len(naming)}")
        kinds = {orders.kind_of(EXAMPLES[kind][0]) for v in VERSIONS for kind in sent_by().get((v, action), ())}
        ours = [] if from_station else [", ".join(f"`{kind}`" for kind in sorted(kinds))]
        yield "| " + " | ".join([action, *cells, *ours, _shown(found)]) + " |"


def _round_trips() -> str:
    known = {test.name: test for test in tests()}
    return " and ".join(known[name].link for name in ROUND_TRIPS)


def _case_tables() -> Iterator[str]:
    groups = cases()
    played = met(tests())
    yield f"{len(played)} of {sum(map(len, groups.values()))} met: a test plays the case, on the wire and on what was kept.\n"
    yield "| Group | Met | Not met |\n|---|---|---|"
    for group, asked in groups.items():
        missing = [f"TC_{case}" for case in asked if case not in played]
        yield f"| {group} | {len(asked) - len(missing)} of {len(asked)} | {', '.join(missing)} |"
    known = set().union(*groups.values())
    known |= {case.partition("_")[0] for case in known if case[0].isdigit()}
    if others := sorted({case for test in tests() for case in test.cases} - known):
        yield "\nTests name others, too: " + ", ".join(f"TC_{case}" for case in others) + "."
    for group, asked in groups.items():
        yield f"\n### {group}\n\n| Case | What it asks | Test |\n|---|---|---|"
        for case, text in asked.items():
            yield f"| TC_{case} | {text} | {_shown(tests_of_case(case)) or 'not met'} |"


def _use_cases() -> Iterator[str]:
    named = sorted({one for test in tests() for one in test.use_cases})
    if named:
        yield USE_CASES
    for one in named:
        yield f"| {one} | {_shown(test for test in tests() if one in test.use_cases)} |"


def render() -> str:
    """The page as it must be."""
    blocks = [
        FROM_STATIONS.format(round_trips=_round_trips()),
        *_messages(from_station=True),
        TO_STATIONS,
        *_messages(from_station=False),
        "\n## Certification cases\n",
        *_case_tables(),
        *_use_cases(),
    ]
    return HEAD + "\n".join(blocks) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render())

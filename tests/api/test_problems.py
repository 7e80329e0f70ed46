"""The catalogue of problems: everything that can be raised is in it, and it says what to do."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from tools import problems_page

import ohmstead.web  # noqa: F401  (it knows everything that can raise)
from ohmstead.api.catalogue import CODES, PROBLEMS
from ohmstead.api.problems import TABLE, all_types, problem_of
from ohmstead.core.errors import OhmsteadError
from tests.architecture import house

# Edges of their own, whose errors never leave through the API.
ELSEWHERE = ("ohmstead.transfers.", "ohmstead.simulator.", "ohmstead.ocpp.", "ohmstead.remote.")


def kinds(kind: type[OhmsteadError] = OhmsteadError) -> Iterator[type[OhmsteadError]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("ohmstead.") and not one.__module__.startswith(ELSEWHERE):
            yield one
        yield from kinds(one)


def files() -> Iterator[tuple[Path, ast.Module]]:
    for path in house.python_files():
        if not f"ohmstead.{path.relative_to(house.PACKAGE).as_posix().replace('/', '.')}".startswith(ELSEWHERE):
            yield path, ast.parse(path.read_text())


def caught_in_the_api() -> set[str]:
    """Names that the API's own handlers translate before they leave."""
    found: set[str] = set()
    for path, tree in files():
        if path.parent.name == "api":
            for node in ast.walk(tree):
                if isinstance(node, ast.ExceptHandler) and node.type is not None:
                    found |= {ast.unparse(one).rpartition(".")[2] for one in getattr(node.type, "elts", [node.type])}
    return found


def test_whatever_the_domain_raises_has_a_type_of_its_own() -> None:
    translated = caught_in_the_api()
    for kind in kinds():
        is_in_the_table = not set(TABLE).isdisjoint(kind.__mro__)
        assert is_in_the_table or kind.__name__ in translated, f"{kind.__module__}.{kind.__name__}: would be a 500"


def test_every_type_says_what_it_means_and_what_to_do() -> None:
    assert set(PROBLEMS) == {name for _, name, _ in all_types()}
    for name, entry in PROBLEMS.items():
        assert entry.meaning.endswith("."), name
        assert entry.remedy.endswith("."), name


def test_an_error_that_nobody_knows_is_ours_and_says_nothing_of_its_cause() -> None:
    found = problem_of(ValueError("the password is 1234"), "/api/v1/x")
    assert (found.status, found.type) == (500, "/api/v1/problems/internal")
    assert "1234" not in str(found)


def test_every_code_is_explained() -> None:
    """But for those of payment providers, which have words of their own for why they refuse."""
    raised = {
        keyword.value.value
        for _, tree in files()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {kind.__name__ for kind in kinds()} - {"Declined"}
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    assert raised == set(CODES)


def test_the_page_is_what_the_catalogue_says() -> None:
    assert problems_page.FILE.read_text() == problems_page.page(), "run: python tools/problems_page.py"
    assert inspect.getdoc(problems_page)

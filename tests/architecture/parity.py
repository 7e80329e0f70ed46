"""Which deeds of the console the API does not have: both call the same function of the domain.

A deed is a function of the domain that a console handler for POST, PUT, PATCH or DELETE calls, itself or through the
console's own functions, and that changes something: down its calls stands a statement that writes.
"""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.architecture.house import PACKAGE

EDGES = ("console", "api")
# Read and drawn, never changed.
READERS = ("core", "ui", "reports")
CHANGING = frozenset({"post", "put", "patch", "delete"})
WRITES = re.compile(r"\b(?:insert\s+into|delete\s+from|update\s+\w+(?:\s+\w+)?\s+set)\b", re.IGNORECASE)
Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[str, str]


class Code:
    """A package read as text: who calls whom, as far as names tell. Methods of objects are not followed."""

    def __init__(self, package: Path = PACKAGE) -> None:
        self.package = package
        self.prefix = package.name + "."

    @cache  # noqa: B019  (lives as long as a test)
    def module(self, name: str) -> "Module | None":
        """`billing.incoming.service`; None: there is none of that name."""
        path = self.package / (name.replace(".", "/") + ".py")
        return Module(self, name, ast.parse(path.read_text())) if path.is_file() else None

    def modules_of(self, room: str) -> list["Module"]:
        """Those of an edge."""
        names = (
            path.relative_to(self.package).with_suffix("").as_posix().replace("/", ".")
            for path in sorted((self.package / room).rglob("*.py"))
        )
        return [found for name in names if (found := self.module(name)) is not None]

    def place_of(self, module: str, name: str) -> Place | None:
        """Where a name of a module is defined, re-exports followed; None: it is no function of ours."""
        home = self.module(module)
        if home is None:
            return None
        if name in home.functions:
            return module, name
        if name in home.imports:
            return self.place_of(*home.imports[name])
        return home.aliases.get(name)

    @cache  # noqa: B019
    def calls_of(self, place: Place) -> frozenset[Place]:
        """What a function names of ours, itself."""
        home = self.module(place[0])
        assert home is not None
        return frozenset(home.named_in(home.functions[place[1]]))

    @cache  # noqa: B019
    def writes(self, place: Place) -> bool:
        """Does something down its calls write?"""
        seen, waiting = {place}, [place]
        while waiting:
            one = waiting.pop()
            home = self.module(one[0])
            assert home is not None
            if home.is_store and WRITES.search(home.text_of(one[1])):
                return True
            new = self.calls_of(one) - seen
            seen |= new
            waiting += new
        return False

    def reached(self, first: Iterable[Place]) -> set[Place]:
        """The functions of the domain that these functions of an edge call, also through the edge's own."""
        seen = set(first)
        waiting, found = list(seen), set()
        while waiting:
            for one in self.calls_of(waiting.pop()):
                room = one[0].partition(".")[0]
                if room in EDGES:
                    if one not in seen:
                        seen.add(one)
                        waiting.append(one)
                elif room not in READERS:
                    found.add(one)
        return found


class Module:
    """One file: its functions, and what its names mean."""

    def __init__(self, code: Code, name: str, tree: ast.Module) -> None:
        self.code, self.name = code, name
        self.is_store = name.rpartition(".")[2] in ("store", "queries")
        self.functions: dict[str, Function] = {
            one.name: one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self.imports: dict[str, Place] = {}
        for one in ast.walk(tree):
            if isinstance(one, ast.ImportFrom) and (one.module or "").startswith(code.prefix):
                home = str(one.module).removeprefix(code.prefix)
                self.imports |= {alias.asname or alias.name: (home, alias.name) for alias in one.names}
        # Statements that stand beside the functions, by name.
        self.constants: dict[str, str] = {}
        self.aliases: dict[str, Place | None] = {}
        for each in tree.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None:
                self.constants[each.target.id] = ast.unparse(each.value)
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                self.aliases[each.targets[0].id] = self._meant(each.value)
                self.constants[each.targets[0].id] = ast.unparse(each.value)

    def text_of(self, function: str) -> str:
        """A function with the constants that it names."""
        node = self.functions[function]
        named = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
        return "\n".join([ast.unparse(node), *(self.constants.get(name, "") for name in named)])

    def _meant(self, node: ast.expr) -> Place | None:
        """The function that `name` or `module.name` means."""
        if isinstance(node, ast.Name):
            return (self.name, node.id) if node.id in self.functions else self._imported(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self.imports:
            home, name = self.imports[node.value.id]
            return self.code.place_of(f"{home}.{name}", node.attr)
        return None

    def _imported(self, name: str) -> Place | None:
        return self.code.place_of(*self.imports[name]) if name in self.imports else None

    def named_in(self, function: Function) -> set[Place]:
        """All functions of ours that its body names."""
        nodes = (one for part in function.body for one in ast.walk(part) if isinstance(one, ast.Name | ast.Attribute))
        return {found for one in nodes if (found := self._meant(one)) is not None}

    def handlers(self) -> list[Place]:
        """Its functions that change something when a browser or program asks."""
        return [
            (self.name, name)
            for name, one in self.functions.items()
            if any(_verb(mark) in CHANGING for mark in one.decorator_list)
        ]

    def proof_of(self, handler: str) -> str | None:
        """What a handler says of a fresh proof: `True`, or the name of who decides; None: nothing."""
        for mark in self.functions[handler].decorator_list:
            if _verb(mark) == "delete":
                return "True"
            named = [one.id for one in ast.walk(mark) if isinstance(one, ast.Name)]
            text = "\n".join([ast.unparse(mark), *(self.constants.get(name, "") for name in named)])
            if (said := re.search(r"'needs_proof': (\w+)", text)) is not None:
                return said[1]
        return None


def _verb(mark: ast.expr) -> str:
    return mark.func.id if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) else ""


def gaps(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Deeds of the console that no function of the API calls, each with the handlers that do it."""
    code = Code(package)
    there = code.reached((home.name, name) for home in code.modules_of("api") for name in home.functions)
    found: dict[str, set[str]] = {}
    for home in code.modules_of("console"):
        for handler in home.handlers():
            for deed in code.reached([handler]) - there:
                if code.writes(deed):
                    found.setdefault(".".join(deed), set()).add(".".join(handler).removeprefix("console."))
    return found


def unproved(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Deeds for which the console always wants a fresh proof, each with the handlers of the API that want none."""
    code = Code(package)
    asked: dict[Place, set[bool]] = {}
    for home in code.modules_of("console"):
        for handler in home.handlers():
            for deed in code.reached([handler]):
                asked.setdefault(deed, set()).add(home.proof_of(handler[1]) == "True")
    found: dict[str, set[str]] = {}
    for home in code.modules_of("api"):
        for handler in home.handlers():
            if home.proof_of(handler[1]) is not None:
                continue
            for deed in code.reached([handler]):
                if asked.get(deed) == {True} and code.writes(deed):
                    found.setdefault(".".join(deed), set()).add(".".join(handler).removeprefix("api."))
    return found

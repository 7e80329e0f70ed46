"""What people read, in every language: `python tools/messages.py` brings `core/locales/*.po` up to date.

It gathers the texts of templates (`_`, `trans`), of modules (`_`, `N_`, `n_`, a `Look`'s word), of scripts (`_`), of the
catalogue of events, of orders' types, of the profiles of makes, and of what `OhmsteadError`s say, adds new ones to each
catalogue without a translation, and drops those that are gone.
`--missing de` lists what has no translation; `--take de FILE` takes the translations of another catalogue;
`--unmarked [FILE …]` lists what templates say without `_`.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from ohmstead.console import order_form  # noqa: E402
from ohmstead.core.language import LOCALES_DIR, REFUSALS  # noqa: E402
from ohmstead.facts import catalogue  # noqa: E402
from ohmstead.stations.quirks import book, profiles  # noqa: E402
from ohmstead.ui import templating  # noqa: E402

PACKAGE = ROOT / "src" / "ohmstead"
TEMPLATES = templating.HERE / "templates"
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "N_": None,
    "n_": (1, 2),
    "ngettext": (1, 2),
    "p_": ((1, "c"), 2),
    "Look": (3,),
}
OPTIONS = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}
HEAD = """# Ohmstead: what people read. Kept complete by tools/messages.py; write translations only.
# SPDX-License-Identifier: Apache-2.0"""
# What `told` is to know besides errors' texts: rows' errors, rules of orders (`yield field, "rule"` where `Fault`s come
# from), and what bears `R_`. Here: where the text stands in what makes it, unless it is the first.
PLACES = {"RowError": 2, "Fault": 1}
# What has none of these need not be read word by word.
_MARKED = re.compile(r"\b(" + "|".join(KEYWORDS) + r")\s*\(")
# A word for programs, not a text: `too_many_requests`.
_CODE = re.compile(r"[a-z0-9_]+(%\(\w+\)s)?")
# Hardly anything but slots would be found in what others say: `%(modes)s for %(purpose)s`.
_VAGUE = re.compile(r"%\(\w+\)s[^%\w]*\w{0,4}[^%\w]*%\(\w+\)s")
_ERRORS = re.compile(r"^class (\w+)\((?:errors\.)?(\w+)\)", re.MULTILINE)


def refusal_classes() -> frozenset[str]:
    """The names of all errors whose text is written for people."""
    found = {"OhmsteadError"}
    classes = {match[1]: match[2] for path in PACKAGE.rglob("*.py") for match in _ERRORS.finditer(path.read_text())}
    while more := {name for name, base in classes.items() if base in found} - found:
        found |= more
    return frozenset(found)


@cache
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def constants() -> dict[str, set[str]]:
    """The texts of all modules' constants, by name."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in _parsed(path.read_text()).body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                for target in targets:
                    if isinstance(target, ast.Name) and target.id.isupper():
                        found.setdefault(target.id, set()).add(value.value)
    return found


def refusals_in(
    source: str, classes: Iterable[str], known: Mapping[str, Iterable[str]] | None = None
) -> Iterator[tuple[int, str]]:
    """Line and pattern of each error, row's error or rule made with a text, an f-string, or a constant that is `known`."""
    names = frozenset(classes) | {"R_", *PLACES}
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.FunctionDef) and node.returns is not None and "Fault" in ast.unparse(node.returns):
            yield from _rules_in(node)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        place = PLACES.get(name, 0)
        if name in names and len(node.args) > place:
            for text in _texts(node.args[place], known or {}):
                yield node.lineno, text


def _rules_in(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            for text in _texts(node.value.elts[1], {}):
                yield node.lineno, text


def _texts(node: ast.expr, known: Mapping[str, Iterable[str]]) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body, known)
        yield from _texts(node.orelse, known)
    elif isinstance(node, ast.Name | ast.Attribute):
        yield from sorted(known.get(node.attr if isinstance(node, ast.Attribute) else node.id, ()))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts, taken = [], dict[str, str]()
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value))
            elif isinstance(value, ast.FormattedValue):
                parts.append(f"%({_slot(value.value, taken)})s")
        if re.search(r"[A-Za-z]{2}", re.sub(r"%\(\w+\)s", "", "".join(parts))):
            yield "".join(parts)


def _slot(node: ast.expr, taken: dict[str, str]) -> str:
    """A name for what is put in there: the last one in it, made unlike the others of its text."""
    names = [
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(node)
        if isinstance(n, ast.Name | ast.Attribute)
    ]
    name = next((name for name in names if name not in ("str", "len", "repr", "join", "sorted", "self")), "value")
    source = ast.unparse(node)
    while taken.setdefault(name, source) != source:
        name += "_"
    return name


def gather() -> Catalog:
    """Everything people read, in English."""
    catalog = Catalog(project="ohmstead")
    for path in sorted(TEMPLATES.rglob("*.html")):
        _take(catalog, path, babel_extract, OPTIONS)
    for path in sorted(templating.STATIC_DIR.glob("*.js")):
        _take(catalog, path, "javascript", {"template_string": "true"})
    for kind in catalogue.described():
        for text in (kind.theme, kind.meaning):
            catalog.add(text, locations=[("facts/catalogue.py", 0)])
    for context, text in order_form.texts():
        catalog.add(text, context=context, locations=[("stations/orders", 0)])
    for path in sorted(book.SHIPPED.glob("*.yaml")):
        profile = profiles.parse(path.read_bytes(), path.name)
        for text in (profile.name, profile.because):
            catalog.add(text, locations=[("stations/quirks", 0)])
    classes, known = refusal_classes(), constants()
    for path in sorted(PACKAGE.rglob("*.py")):
        if _MARKED.search(path.read_text()):
            _take(catalog, path, "python", {})
        if path.is_relative_to(PACKAGE / "simulator") or path.is_relative_to(PACKAGE / "remote"):
            continue  # these speak in a terminal
        for _line, text in refusals_in(path.read_text(), classes, known):
            if _CODE.fullmatch(text) or _VAGUE.fullmatch(text):
                continue
            catalog.add(text, context=REFUSALS, locations=[(_name(path), 0)])
    return catalog


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _take(catalog: Catalog, path: Path, method: Any, options: dict[str, str]) -> None:
    found = extract(method, io.BytesIO(path.read_bytes()), KEYWORDS, (), options)
    for _line, text, _comments, context in found:
        if text and text != "" and (isinstance(text, tuple) or text.strip()):
            catalog.add(text, context=context, locations=[(_name(path), 0)])


def read(code: str) -> Catalog:
    """A language's catalogue; an empty one where there is none."""
    path = LOCALES_DIR / f"{code}.po"
    if not path.exists():
        return Catalog(locale=code)
    with path.open("rb") as file:
        return read_po(file, locale=code)


def updated(code: str, english: Catalog, *others: Catalog) -> Catalog:
    """All texts with the translations that are known, those of `others` first."""
    known = [*others, read(code)]
    catalog = Catalog(locale=code, project="ohmstead", header_comment=HEAD, fuzzy=False)
    for message in english:
        if message.id:
            told = next((found.string for one in known if (found := _found(one, message)) is not None), None)
            catalog.add(message.id, told, context=message.context, locations=message.locations)
    return catalog


def _found(catalog: Catalog, message: Message) -> Message | None:
    key = message.id[0] if isinstance(message.id, list | tuple) else message.id
    found = catalog.get(key, message.context)
    return found if found is not None and _is_told(found) else None


def _is_told(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, list | tuple) else bool(message.string)


def missing(catalog: Catalog) -> list[str]:
    """Texts without a translation."""
    return [str(message.id) for message in catalog if message.id and not _is_told(message)]


def written(catalog: Catalog) -> bytes:
    """A catalogue as its file: sorted, without anything that changes by itself."""
    file = io.BytesIO()
    write_po(file, catalog, width=0, sort_output=True, include_lineno=False, omit_header=False)
    lines = file.getvalue().decode().splitlines()
    volatile = (
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Generated-By",
        "Last-Translator",
        "Language-Team",
        "Report-Msgid",
        "Project-Id",
    )
    return (
        "\n".join(line for line in lines if not line.startswith(tuple(f'"{name}' for name in volatile))) + "\n"
    ).encode()


# ------------------------------------------------------------------------------------------------- what has no mark yet

_ATTRIBUTES = re.compile(r'\b(title|placeholder|alt|aria-label|aria-description|data-ask|data-none)="([^"]*)"')
_SECRET = re.compile(r"(?s)<(code|kbd|script|style|pre)\b[^>]*>.*?</\1>|<!--.*?-->")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]{2,}")
# A macro may write attributes into a tag that stands elsewhere.
_WRITTEN = re.compile(r'[\w:-]+="[^"<>\n]*"|\bdata-[a-z-]+')
# Names, units and what is the same in every language.
_NAMES = frozenset(
    re.findall(
        r"\w+",
        "Ohmstead OCPP CSV XLSX JSON QR kWh kW Wh MWh MW min ms kB MB EVSE EVSEs RFID TLS CA API PDF UTC ID IP OK URL SHA "
        "EMAID nbsp ensp middot amp times mdash ndash hellip",
    )
)


def unmarked(text: str) -> list[tuple[int, str]]:
    """Line and words of a template's own text, and of attributes that people read, outside `_` and `trans`."""
    environment = templating.ENVIRONMENT
    pieces, inside = list[str](), 0
    # Everything Jinja's becomes as many line ends as it had, so that lines keep their numbers.
    tag: list[str] = []
    for _line, kind, value in environment.lex(text):
        if kind == "data" or kind == "raw_begin":
            pieces.append(value if not inside else "\n" * value.count("\n"))
            continue
        pieces.append("\n" * value.count("\n") if "\n" in value else ("\x00" if kind.endswith("_begin") else ""))
        if kind == "block_begin":
            tag = []
        elif kind == "name" and not tag:
            tag = [value]
            inside += 1 if value == "trans" else -1 if value == "endtrans" else 0
    whole = _SECRET.sub(lambda found: "\n" * found[0].count("\n"), "".join(pieces))
    found = [(whole.count("\n", 0, m.start()) + 1, m[2]) for m in _ATTRIBUTES.finditer(whole) if _says(m[2])]
    bare = _WRITTEN.sub("", re.sub(r"(?s)<[^<>]*>", lambda m: "\n" * m[0].count("\n") + "\x01", whole))
    for number, line in enumerate(bare.split("\n"), 1):
        found += [(number, piece.strip(" \x00")) for piece in line.split("\x01") if _says(piece)]
    return sorted(found)


def _says(text: str) -> bool:
    return any(word not in _NAMES for word in _WORD.findall(text))


def said_in_expressions(text: str) -> list[tuple[int, str]]:
    """Line and words of sentences that stand as strings in a template's expressions: `{{ "Pause" if … }}`."""
    found, before, earlier, depth_of_call = [], "", "", list[str]()
    for line, kind, value in templating.ENVIRONMENT.lex(text):
        if kind == "whitespace":
            continue
        if kind == "operator" and value == "(":
            depth_of_call.append(before)
        elif kind == "operator" and value == ")" and depth_of_call:
            depth_of_call.pop()
        elif kind == "string" and re.match(r"""["'][A-Z]?[a-z]+[,.]* +[a-z]|["'][A-Z][a-z]+[.:]?["']""", value):
            # What is compared, and classes, nobody reads.
            marks = ("_", "n_", "p_", "gettext", "ngettext", "N_", "icon")
            if (
                before not in ("==", "!=")
                and (earlier, before) != ("css", "=")
                and not any(call in marks for call in depth_of_call)
            ):
                found.append((line, value))
        earlier, before = before, value
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", metavar="CODE")
    parser.add_argument("--take", nargs=2, metavar=("CODE", "FILE"))
    parser.add_argument("--unmarked", nargs="*", metavar="FILE")
    asked = parser.parse_args()
    if asked.unmarked is not None:
        paths = [Path(name) for name in asked.unmarked] or sorted(TEMPLATES.rglob("*.html"))
        for path in paths:
            for line, words in [*unmarked(path.read_text()), *said_in_expressions(path.read_text())]:
                print(f"{path}:{line}: {words}")
        return 0
    english = gather()
    if asked.missing:
        print("\n".join(missing(updated(asked.missing, english))))
        return 0
    taken = {}
    if asked.take:
        with Path(asked.take[1]).open("rb") as file:
            taken[asked.take[0]] = read_po(file, locale=asked.take[0])
    for path in sorted(LOCALES_DIR.glob("*.po")):
        catalog = updated(path.stem, english, *[other for code, other in taken.items() if code == path.stem])
        path.write_bytes(written(catalog))
        print(f"{path.name}: {len(catalog)} texts, {len(missing(catalog))} without translation")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/operations.md lists the settings that there are."""

import re

from ohmstead.settings import Setting, listing
from tests.architecture.house import ROOT

PAGE = ROOT / "docs" / "operations.md"


def table(settings: list[Setting]) -> str:
    """The settings as a table, as the page has it."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for one in settings:
        default = f"`{one.default}`" if one.default else ""
        kind = "" if one.kind in ("text", "number", "path", "networks") else f" `{one.kind.replace(' | ', '`, `')}`."
        rows.append(f"| `{one.variable}` | {default} | {one.meaning}{kind} |")
    return "\n".join(rows)


def test_the_page_lists_every_setting_with_its_default_and_meaning() -> None:
    written = re.search(r"<!-- settings:.*?-->\n(.*?)\n?<!-- /settings -->", PAGE.read_text(), re.DOTALL)
    assert written is not None
    assert written[1].strip() == table(listing()), "put this into docs/operations.md:\n" + table(listing())


def test_every_setting_that_the_pages_name_exists() -> None:
    known = {one.variable for one in listing()}
    for page in (PAGE, ROOT / "SECURITY.md"):
        named = set(re.findall(r"OHMSTEAD_[A-Z_]+[A-Z]", page.read_text()))
        assert named - known == set()

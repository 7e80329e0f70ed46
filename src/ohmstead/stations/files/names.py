"""Names that come from outside, made harmless, and which image suits which station. Pure."""

from __future__ import annotations

import re
import unicodedata
from fnmatch import fnmatchcase

MOST_NAME = 120
MOST_PATH = 400
_UNWANTED = re.compile(r"[^\w .()+@=,#-]", re.UNICODE)


def safe_name(name: str, otherwise: str = "file") -> str:
    """The last part of a file's name without what a path, a header, a terminal or a page could stumble over."""
    text = unicodedata.normalize("NFKC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    # Marks that turn the direction of writing make `gpj.exe` read `exe.jpg`; U+FFFD stands for what was no character.
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C" and c != "\ufffd")
    text = _UNWANTED.sub("_", text).strip(" .")
    if len(text) > MOST_NAME:
        stem, dot, ending = text.rpartition(".")
        text = stem[: MOST_NAME - len(ending) - 1] + dot + ending if dot and len(ending) <= 12 else text[:MOST_NAME]
    return text or otherwise


def safe_path(path: str) -> str:
    """A path inside an archive as we show it: nothing leads upwards, nothing begins at the root."""
    parts = [safe_name(part, "") for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(part for part in parts if part)[-MOST_PATH:] or "file"


def suits(
    *,
    vendor: str | None,
    model: str | None,
    version: str | None,
    vendor_pattern: str,
    model_pattern: str,
    from_version: str,
) -> bool:
    """Is an image meant for a station? Patterns know `*` and `?`; letters' case does not matter.

    A station that has not said what it is suits only what is meant for everything.
    """
    return all(
        fnmatchcase((value or "").casefold(), pattern.casefold())
        for value, pattern in ((vendor, vendor_pattern), (model, model_pattern), (version, from_version))
    )


def is_version(told: str | None, wanted: str | None) -> bool:
    """Do two texts name the same firmware version? Spaces and case aside, and a `v` before the number."""
    return told is not None and wanted is not None and _plain(told) == _plain(wanted) != ""


def _plain(version: str) -> str:
    text = version.strip().casefold()
    return text[1:] if re.match(r"v\d", text) else text

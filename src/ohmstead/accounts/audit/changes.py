"""What of a thing is different now: for the audit log, without anything secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

BLOTTED: Final = "•••"
_SECRET: Final = re.compile(
    r"pass(word)?|secret|authorization|private|credential|cookie|_hash(es)?$|pin$", re.IGNORECASE
)
# A log of who did what, no second store: a list of thousands, or a text without end, is told by its beginning.
MOST_CHARACTERS: Final = 2000


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`{field: {"before": …, "after": …}}` for every field of `after` that was otherwise in `before`.

    Values are as JSON has them. Of fields that sound secret only that they changed is told; long values are cut.
    """
    found = {}
    for name, value in after.items():
        was, now = _plain(before.get(name)), _plain(value)
        if was != now:
            found[name] = {"before": _shown(name, was), "after": _shown(name, now)}
    return found


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _shown(name: str, value: Any) -> Any:
    if _SECRET.search(name) and value is not None and not isinstance(value, bool):
        return BLOTTED
    if isinstance(value, dict):
        value = {str(key): _shown(str(key), item) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_shown("", item) for item in value]
    if isinstance(value, str | dict | list):
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if len(text) > MOST_CHARACTERS:
            return f"{text[:MOST_CHARACTERS]}… ({len(text)} characters)"
    return value

"""Text that people typed or sent: what may not stand in it, since no screen would show what it is."""

from __future__ import annotations

import unicodedata

from ohmstead.core.errors import Invalid

# What turns the reading direction or takes no space: with it, two texts that look alike differ, or one looks like another.
_TRICKS = frozenset(
    "\u200b\u200e\u200f\u2060\ufeff\u061c" + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
)
_LINES = frozenset("\n\t")


def checked(text: str, field: str, *, has_lines: bool = False) -> str:
    """The text without spaces around it, in composed form (NFC). Raises Invalid for what cannot be seen.

    `has_lines`: line ends and tabs are welcome.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n") if has_lines else text).strip()
    for character in text:
        if has_lines and character in _LINES:
            continue
        if character in _TRICKS or unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co"):
            raise Invalid(f"holds U+{ord(character):04X}, which cannot be seen", field=field)
    return text

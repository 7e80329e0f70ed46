"""Secrets that somebody changed."""


def altered(text: str, at: int) -> str:
    """The same with another digit at a place (of hex and of base 64); chance never makes it the same text."""
    at %= len(text)
    return text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]

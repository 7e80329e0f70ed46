"""Which installation is meant, and with which key: from the environment, or from a file of profiles.

`~/.config/ohmstead/profiles.toml`:

    [default]
    url = "https://ohmstead.example"
    key = "ohm_…"                      # or key_file = "…"
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from ohmstead.core.errors import Invalid, Refused

DEFAULT = "default"
HERE = "http://127.0.0.1:8080"
_FIELDS = frozenset({"url", "key", "key_file"})


class Profile(Struct, frozen=True, kw_only=True):
    """An installation and a key for it; None: without one."""

    url: str
    key: str | None = None


def profiles_file(env: Mapping[str, str]) -> Path:
    """Where the profiles are."""
    base = env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or Path.home()) / ".config"
    return Path(base) / "ohmstead" / "profiles.toml"


def profile_names(env: Mapping[str, str]) -> list[str]:
    """For completion; empty where there are none, or the file cannot be read."""
    try:
        return sorted(_read(profiles_file(env)))
    except (Invalid, Refused):
        return []


def chosen(env: Mapping[str, str], name: str | None = None, url: str | None = None) -> Profile:
    """The profile that is meant. `name` and `url` come from the command line and count most, then OHMSTEAD_API_URL,
    OHMSTEAD_API_KEY and OHMSTEAD_API_KEY_FILE, then the profile that OHMSTEAD_PROFILE names, then `default`.

    A key from a profile goes to that profile's own address only. Raises Invalid, and Refused for a file with keys that
    others can read.
    """
    path = profiles_file(env)
    wanted = name or env.get("OHMSTEAD_PROFILE") or None
    known = _read(path)
    if wanted is not None and wanted not in known:
        raise Invalid(f"there is no profile {wanted} in {path} (there are: {', '.join(sorted(known)) or 'none'})")
    kept = known.get(wanted or DEFAULT, {})
    if name is not None:
        # Whoever names a profile means it, whatever the environment says.
        return _checked(url or str(kept.get("url", HERE)), _own_key(kept, url, path))
    asked = url or env.get("OHMSTEAD_API_URL") or None
    key = env.get("OHMSTEAD_API_KEY") or _key_in(env.get("OHMSTEAD_API_KEY_FILE"))
    return _checked(asked or str(kept.get("url", HERE)), key or _own_key(kept, asked, path))


def _own_key(kept: Mapping[str, Any], asked: str | None, path: Path) -> str | None:
    if asked is not None and asked.rstrip("/") != str(kept.get("url", HERE)).rstrip("/"):
        return None
    if (file := kept.get("key_file")) is not None:
        return _key_in(str(path.parent / Path(str(file)).expanduser()))
    return kept.get("key")


def _checked(url: str, key: str | None) -> Profile:
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"{url}: expected http:// or https://")
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise Invalid("the API key has characters that no key has")
    return Profile(url=url.rstrip("/"), key=key)


def _key_in(file: str | None) -> str | None:
    if not file:
        return None
    try:
        return Path(file).expanduser().read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the key in {file} cannot be read: {error}") from error


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            found = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    for name, profile in found.items():
        if not isinstance(profile, dict) or not all(isinstance(value, str) for value in profile.values()):
            raise Invalid(f"{path}: {name} is no profile: expected [{name}] with url, and key or key_file")
        if unknown := sorted(set(profile) - _FIELDS):
            raise Invalid(f"{path}: [{name}] knows no {', '.join(unknown)}")
        if "key" in profile and mode & 0o077:
            raise Refused(f"{path} holds keys and others can read it: chmod 600 {path}")
    return found

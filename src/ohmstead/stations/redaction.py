"""Station passwords, and addresses that are as good as one, travel inside OCPP messages and orders; wherever those are
shown, they are blotted out.
"""

import re
from typing import Any

import msgspec

from ohmstead.core.log import REDACTED

# 1.6 security whitepaper §4; 2.x SecurityCtrlr.BasicAuthPassword; 2.1 WebPaymentsCtrlr.SharedSecret and what
# NetworkConfiguration holds.
_NAMES = ("AuthorizationKey", "BasicAuthPassword", "SharedSecret", "ApnPassword", "VpnPassword", "VpnKey", "SimPin")
_LOWER_NAMES = frozenset(name.lower() for name in _NAMES)
# Fields that hold one themselves: of network profiles, with their modems and VPNs.
_FIELDS = frozenset({"password", "basicAuthPassword", "apnPassword", "simPin", "sim_pin"})
# What opens a file of ours to whoever has it (stations/files/links.py).
_LINK = re.compile(r"(/files/)[A-Za-z0-9_-]{40,}")
_MAY_HOLD = re.compile("assword|AuthorizationKey|SharedSecret|[sS]imPin|VpnKey")
# User and password in front of a host, as in addresses for FTP.
_USER = re.compile(r"(://|:\\/\\/)[^/@\s\"\\]+@")
_VALUE_KEYS = frozenset({"value", "attributeValue"})


def is_secret(name: str) -> bool:
    """Does a variable of this name hold a password?"""
    return name.lower() in _LOWER_NAMES


def hide_secrets(value: Any) -> Any:
    """A copy of decoded JSON without the values of variables that hold passwords."""
    if isinstance(value, dict):
        if _names_secret(value):
            return _without_values(value)
        is_vpn = "server" in value and "password" in value
        return {
            key: REDACTED if _is_secret_field(key, item, is_vpn) else hide_secrets(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [hide_secrets(item) for item in value]
    return _hide_links(value) if isinstance(value, str) else value


def hide_secrets_in_text(text: str | None) -> str | None:
    """The same for JSON text, which stays as it is, byte for byte, when there is nothing to hide."""
    if text is not None:
        text = _hide_links(text)
    if text is None or not _MAY_HOLD.search(text):
        return text
    try:
        return msgspec.json.encode(hide_secrets(msgspec.json.decode(text))).decode()
    except (msgspec.DecodeError, RecursionError):
        return REDACTED


def _hide_links(text: str) -> str:
    if "/files/" in text:
        text = _LINK.sub(rf"\1{REDACTED}", text)
    if "@" in text and ":" in text:
        text = _USER.sub(rf"\1{REDACTED}@", text)
    return text


def _is_secret_field(key: Any, item: Any, is_vpn: bool) -> bool:
    if item is None or isinstance(item, dict | list):
        return False
    # An order's own spelling: the variable's name is the key.
    return isinstance(key, str) and (key in _FIELDS or key.endswith(_NAMES) or (is_vpn and key == "key"))


def _names_secret(item: dict[str, Any]) -> bool:
    variable = item.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else item.get("key")
    return isinstance(name, str) and is_secret(name)


def _without_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: REDACTED if key in _VALUE_KEYS else _without_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_values(item) for item in value]
    return value

"""SCIM's words (RFC 7643) for our people and groups, and ours for theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from ohmstead.accounts.model import Operator
from ohmstead.accounts.people.model import Group, Kept
from ohmstead.core.errors import Invalid

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
PROVIDER_CONFIG: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"
RESOURCE_TYPE: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
MOST_IN_LIST: Final = 200
MOST_OPERATIONS: Final = 1000
_FILTER: Final = re.compile(r'\s*(\w+)\s+eq\s+"((?:[^"\\]|\\["\\])*)"\s*', re.IGNORECASE)
_MEMBER: Final = re.compile(r'members\[value\s+eq\s+"([^"]+)"\]', re.IGNORECASE)


class Bad(Invalid):
    """A request that SCIM calls malformed; `scim_type` is its word for how (RFC 7644 §3.12)."""

    def __init__(self, text: str, scim_type: str = "invalidValue") -> None:
        super().__init__(text)
        self.scim_type = scim_type


def user_form(one: Operator, groups: Sequence[Group], base: str) -> dict[str, Any]:
    """An operator as a SCIM user."""
    form: dict[str, Any] = {
        "schemas": [USER],
        "id": str(one.operator_id),
        "userName": one.user_name,
        "displayName": one.name,
        "name": {"formatted": one.name},
        "active": one.disabled_at is None,
        "emails": [{"value": one.email, "type": "work", "primary": True}] if one.email else [],
        "groups": [{"value": str(group.group_id), "display": group.name} for group in groups],
        "roles": [{"value": one.role, "primary": True}],
        "meta": {
            "resourceType": "User",
            "created": one.created_at.isoformat(),
            "location": f"{base}/Users/{one.operator_id}",
        },
    }
    if one.external_id is not None:
        form["externalId"] = one.external_id
    return form


def group_form(one: Group, members: Sequence[tuple[UUID, str]], base: str) -> dict[str, Any]:
    """A group as SCIM has it."""
    form: dict[str, Any] = {
        "schemas": [GROUP],
        "id": str(one.group_id),
        "displayName": one.name,
        "members": [
            {"value": str(operator_id), "display": name, "$ref": f"{base}/Users/{operator_id}"}
            for operator_id, name in members
        ],
        "meta": {
            "resourceType": "Group",
            "created": one.created_at.isoformat(),
            "lastModified": one.changed_at.isoformat(),
            "location": f"{base}/Groups/{one.group_id}",
        },
    }
    if one.external_id is not None:
        form["externalId"] = one.external_id
    return form


def kept_of(form: Mapping[str, Any]) -> Kept:
    """A SCIM user as we keep people. Raises Bad."""
    low = lower_keys(form)
    user_name = _text(low, "username")
    if not user_name:
        raise Bad("userName is required")
    email = _email(low.get("emails")) or (user_name if "@" in user_name else None)
    return Kept(
        user_name=user_name,
        name=_name(low) or user_name,
        email=email,
        external_id=_text(low, "externalid"),
        is_active=_flag(low.get("active", True)),
    )


def patched(form: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A user's form after PATCH operations (RFC 7644 §3.5.2), as far as users have such attributes. Raises Bad."""
    result = lower_keys(form)
    for operation in operations:
        verb, path, value = operation_of(operation)
        if path is None:
            if verb == "remove" or not isinstance(value, Mapping):
                raise Bad("an operation without a path needs an object of attributes", "noTarget")
            for name, inner in value.items():
                _set(result, str(name), inner, verb)
        else:
            _set(result, path, None if verb == "remove" else value, verb)
    return result


def _set(result: dict[str, Any], path: str, value: Any, verb: str) -> None:
    name = path.rpartition(":")[2].lower()
    if name in ("username", "displayname", "externalid", "active", "emails", "name"):
        if name == "active" and verb == "remove":
            raise Bad("active cannot be removed: set it to false", "mutability")
        result[name] = lower_keys(value) if isinstance(value, Mapping) else value
        if name in ("displayname", "name") and verb != "remove":
            result.pop("name" if name == "displayname" else "displayname", None)
    elif name.startswith("name."):
        names = dict(result.get("name") or {})
        if names.get("formatted") and name != "name.formatted":
            names.pop("formatted")
        names[name.partition(".")[2]] = value
        result["name"] = names
        result.pop("displayname", None)
    elif name.startswith("emails["):
        result["emails"] = [{"value": value, "primary": True}] if value else []
    elif name in ("id", "groups"):
        raise Bad(f"{path} cannot be changed here", "mutability")
    # Attributes that we do not keep are taken and let go, as §3.5.2 allows a server that does not know them.


def operation_of(operation: Mapping[str, Any]) -> tuple[str, str | None, Any]:
    """(verb, path, value) of one PATCH operation. Raises Bad."""
    low = lower_keys(operation)
    verb = str(low.get("op", "")).lower()
    if verb not in ("add", "replace", "remove"):
        raise Bad(f"no such operation: {verb[:40]!r}", "invalidSyntax")
    path = low.get("path")
    if path is not None and (not isinstance(path, str) or not 0 < len(path) <= 200):
        raise Bad("a path is a text", "invalidPath")
    return verb, path, low.get("value")


def operations_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The operations of a PATCH. Raises Bad."""
    found = lower_keys(body).get("operations")
    if not isinstance(found, list) or not found or len(found) > MOST_OPERATIONS:
        raise Bad(f"Operations: a list of 1 to {MOST_OPERATIONS}", "invalidSyntax")
    if not all(isinstance(one, Mapping) for one in found):
        raise Bad("an operation is an object", "invalidSyntax")
    return found


def members_of(value: Any) -> list[UUID]:
    """The ids in a list of members. Raises Bad."""
    found = value if isinstance(value, list) else [value]
    if len(found) > MOST_OPERATIONS * 10:
        raise Bad("too many members in one request", "tooMany")
    return [uuid_of(lower_keys(one).get("value") if isinstance(one, Mapping) else one) for one in found]


def member_in(path: str) -> UUID | None:
    """The member that a path such as `members[value eq "…"]` selects; None of another path. Raises Bad."""
    match = _MEMBER.fullmatch(path)
    return uuid_of(match[1]) if match else None


def uuid_of(value: Any) -> UUID:
    """Raises Bad for what is no id of ours."""
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise Bad(f"{str(value)[:60]!r} is no id of ours") from None


def filtered(text: str | None, attribute: str) -> str | None:
    """The value of a filter `attribute eq "value"`; None without a filter. Raises Bad for any other."""
    if not text:
        return None
    match = _FILTER.fullmatch(text)
    if match is None or match[1].lower() != attribute.lower():
        raise Bad(f'only the filter {attribute} eq "…" is known here', "invalidFilter")
    return re.sub(r'\\(["\\])', r"\1", match[2])


def lower_keys(form: Mapping[str, Any]) -> dict[str, Any]:
    """Names of attributes do not depend on capitals (RFC 7643 §2.1)."""
    return {str(name).lower(): value for name, value in form.items()}


def _text(low: Mapping[str, Any], name: str) -> str | None:
    value = low.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 254 or not value.isprintable():
        raise Bad(f"{name}: a text of up to 254 characters")
    return value.strip()


def _name(low: Mapping[str, Any]) -> str | None:
    names = low.get("name")
    if isinstance(names, Mapping):
        names = lower_keys(names)
        whole = _text(names, "formatted")
        parts = [_text(names, "givenname"), _text(names, "familyname")]
        joined = " ".join(part for part in parts if part)
    elif names is None:
        whole, joined = None, ""
    else:
        raise Bad("name: an object")
    return _text(low, "displayname") or whole or joined or None


def _email(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise Bad("emails: a list of objects")
    found = [lower_keys(one) for one in value]
    first = next((one for one in found if one.get("primary") is True), found[0] if found else {})
    return _text(first, "value")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # Some directories send words.
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Bad("active: true or false")

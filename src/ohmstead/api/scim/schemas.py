"""What this SCIM server says of itself (RFC 7643 §5 to §7). Pure."""

from __future__ import annotations

from typing import Any

from ohmstead.api.scim.forms import GROUP, MOST_IN_LIST, PROVIDER_CONFIG, RESOURCE_TYPE, SCHEMA, USER


def provider_config(base: str) -> dict[str, Any]:
    """What is supported."""
    no = {"supported": False}
    return {
        "schemas": [PROVIDER_CONFIG],
        "patch": {"supported": True},
        "bulk": no | {"maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_IN_LIST},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer key",
                "description": "An API key of scope people:provision",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    """Users and groups."""
    return [
        {
            "schemas": [RESOURCE_TYPE],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "description": about,
            "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
        }
        for name, about, schema in (("User", "People", USER), ("Group", "Groups of people", GROUP))
    ]


def schemas(base: str) -> list[dict[str, Any]]:
    """The attributes that are kept."""
    email = [_attribute("value", required=True), _attribute("primary", "boolean"), _attribute("type")]
    name = [_attribute(one) for one in ("formatted", "givenName", "familyName")]
    reference = [_attribute("value"), _attribute("display", mutability="readOnly")]
    user = [
        _attribute("userName", required=True, uniqueness="server"),
        _attribute("name", "complex", sub=name),
        _attribute("displayName"),
        _attribute("active", "boolean"),
        _attribute("emails", "complex", many=True, sub=email),
        _attribute("groups", "complex", many=True, mutability="readOnly", sub=reference),
        _attribute("roles", "complex", many=True, mutability="readOnly", sub=[_attribute("value")]),
    ]
    group = [
        _attribute("displayName", required=True, uniqueness="server"),
        _attribute("members", "complex", many=True, sub=reference),
    ]
    return [
        {
            "schemas": [SCHEMA],
            "id": urn,
            "name": title,
            "description": title,
            "attributes": attributes,
            "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
        }
        for urn, title, attributes in ((USER, "User", user), (GROUP, "Group", group))
    ]


def _attribute(
    name: str,
    kind: str = "string",
    *,
    required: bool = False,
    many: bool = False,
    mutability: str = "readWrite",
    uniqueness: str = "none",
    sub: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "type": kind,
        "multiValued": many,
        "description": name,
        "required": required,
        "mutability": mutability,
        "returned": "default",
    }
    if kind == "complex":
        return found | {"subAttributes": sub or []}
    return found | {"caseExact": False, "uniqueness": uniqueness} if kind == "string" else found

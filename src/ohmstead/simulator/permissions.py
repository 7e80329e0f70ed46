"""Whom a station lets charge without asking: its local list and its cache. Pure."""

from datetime import datetime

from msgspec import Struct

from ohmstead.simulator.plan import Token

MAX_CACHED = 200


class Permission(Struct, frozen=True):
    """What is known of a token: status as OCPP spells it, and its group."""

    status: str
    group_uid: str | None = None
    valid_until: datetime | None = None


class Permissions:
    """Local authorization list (OCPP 1.6 §3.5, 2.x D) and authorization cache (2.x C)."""

    __slots__ = ("cache", "list_version", "listed")

    def __init__(self) -> None:
        self.list_version = 0
        self.listed: dict[str, Permission] = {}
        self.cache: dict[str, Permission] = {}

    def replace(self, version: int, entries: dict[str, Permission | None]) -> None:
        """A full list. Entries without permission are left out."""
        self.list_version = version
        self.listed = {uid: permission for uid, permission in entries.items() if permission is not None}

    def amend(self, version: int, entries: dict[str, Permission | None]) -> bool:
        """A differential list; None deletes. False when the version is not newer (D01.FR.19)."""
        if version <= self.list_version:
            return False
        for uid, permission in entries.items():
            if permission is None:
                self.listed.pop(uid, None)
            else:
                self.listed[uid] = permission
        self.list_version = version
        return True

    def remember(self, token: Token, permission: Permission) -> None:
        """Cache what the CSMS said last; the oldest entry makes room."""
        self.cache.pop(token.uid.casefold(), None)
        self.cache[token.uid.casefold()] = permission
        if len(self.cache) > MAX_CACHED:
            del self.cache[next(iter(self.cache))]

    def find(self, token: Token, at: datetime, *, uses_list: bool, uses_cache: bool) -> Permission | None:
        """What is known without asking. The list comes before the cache; what is over counts as expired."""
        uid = token.uid.casefold()
        permission = (self.listed.get(uid) if uses_list else None) or (self.cache.get(uid) if uses_cache else None)
        if permission is not None and permission.valid_until is not None and permission.valid_until <= at:
            return Permission("Expired", permission.group_uid, permission.valid_until)
        return permission

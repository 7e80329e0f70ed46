"""What people decide about tokens. Every change is audited and recorded as an event; the edge opens the transaction."""

import asyncio
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.language import N_, R_
from ohmstead.core.tables import RowError, TableRow, read_table, table_of
from ohmstead.core.texts import checked
from ohmstead.core.validation import fault_of
from ohmstead.core.workbooks import first_sheet, is_workbook, read_workbook
from ohmstead.tokens import queries
from ohmstead.tokens.emaid import check_digit, parse_emaid
from ohmstead.tokens.pairing import vehicle_of
from ohmstead.tokens.queries import TokenType, TokenView
from ohmstead.tokens.register import store

Uid: TypeAlias = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}$(?!\n)", description="Visible ASCII, no spaces.")]
Short: TypeAlias = Annotated[str, Meta(max_length=255)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
Weekdays: TypeAlias = Annotated[int, Meta(ge=0, le=127, description="Bit 0 is Monday; 127 for all days.")]
FromMinute: TypeAlias = Annotated[int, Meta(ge=0, le=1439)]
UntilMinute: TypeAlias = Annotated[int, Meta(ge=1, le=1440)]
MaxSessions: TypeAlias = Annotated[int, Meta(ge=1, le=10_000)]
AutoCharge: TypeAlias = Annotated[
    bool, Meta(description="Its holder wants cars to be recognised: one shown just before it is paired with it.")
]
Language: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?$(?!\n)",
        max_length=8,
        description="What its holder reads, for displays of stations: RFC 5646, as `en` or `de-AT`.",
    ),
]
LocationIds: TypeAlias = Annotated[list[UUID], Meta(max_length=1000)]
Holder: TypeAlias = Annotated[UUID, Meta(description="The driver who holds it.")]

DRIVER_BLOCKED = R_("its driver is blocked: unblock the driver, or give the token to somebody else")

REQUIRED = ("uid",)
OPTIONAL = ("type", "label", "status", "group_uid", "contract_id", "valid_from", "valid_until", "max_sessions")
MAX_ROWS = 20_000
SHEET = "Tokens"

COLUMNS = {
    "uid": N_("As the reader sends it. Rows whose token exists update it; empty cells leave things as they are."),
    "type": N_("ISO14443 when empty."),
    "label": N_("What people call it."),
    "status": N_("active or blocked; active when empty."),
    "group_uid": N_("Tokens of one group may end each other's sessions."),
    "contract_id": N_("The contract (eMAID) behind it."),
    "valid_from": N_("RFC 3339, with its zone."),
    "valid_until": N_("RFC 3339, with its zone."),
    "max_sessions": N_("How many sessions at once, or `any`; 1 when empty."),
}


class NewToken(Struct, kw_only=True, forbid_unknown_fields=True):
    """A credential to be."""

    uid: Uid
    type: TokenType = "ISO14443"
    status: Literal["active", "blocked"] = "active"
    label: Short = ""
    group_uid: Uid | None = None
    is_master: bool = False
    may_discharge: bool = False
    contract_id: Short | None = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    location_ids: LocationIds | None = None
    weekdays: Weekdays = 127
    from_minute: FromMinute | None = None
    until_minute: UntilMinute | None = None
    max_sessions: MaxSessions | None = 1
    autocharge: AutoCharge = False
    language: Language | None = None
    driver_id: Holder | None = None


class TokenChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a token; what is left out stays. The uid is the token: another one is another token."""

    type: TokenType | UnsetType = UNSET
    status: Literal["active", "blocked"] | UnsetType = UNSET
    label: Short | UnsetType = UNSET
    group_uid: Uid | None | UnsetType = UNSET
    is_master: bool | UnsetType = UNSET
    may_discharge: bool | UnsetType = UNSET
    contract_id: Short | None | UnsetType = UNSET
    valid_from: Instant | None | UnsetType = UNSET
    valid_until: Instant | None | UnsetType = UNSET
    location_ids: LocationIds | None | UnsetType = UNSET
    weekdays: Weekdays | UnsetType = UNSET
    from_minute: FromMinute | None | UnsetType = UNSET
    until_minute: UntilMinute | None | UnsetType = UNSET
    max_sessions: MaxSessions | None | UnsetType = UNSET
    autocharge: AutoCharge | UnsetType = UNSET
    language: Language | None | UnsetType = UNSET
    driver_id: Holder | None | UnsetType = UNSET


class TokenRow(Struct, frozen=True, kw_only=True):
    """A row of a table of tokens, its cells as values."""

    uid: Uid
    type: TokenType | None = None
    label: Short | None = None
    status: Literal["active", "blocked"] | None = None
    group_uid: Uid | None = None
    contract_id: Short | None = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    max_sessions: MaxSessions | Literal["any"] | None = None


class TokenReport(Struct, kw_only=True):
    """What became of the rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: list[RowError] = []
    is_dry_run: bool = False
    is_kept: Annotated[bool, Meta(description="false: nothing was changed.")] = True


async def create_token(conn: Connection, actor: Actor, given: NewToken) -> TokenView:
    """Raises Invalid, and Conflict when the party has a token of that uid."""
    values = msgspec.structs.asdict(given)
    values["uid"] = _uid(given.uid, given.type)
    await _check(conn, actor, values)
    token_id = new_id()
    if not await store.insert_token(conn, actor.party_id, token_id, values):
        raise Conflict(f"there is a token {given.uid}", code="taken")
    if given.driver_id is not None:
        await store.note_holders(conn, actor.party_id, [values["uid"].lower()])
    await note(conn, actor, "created", [(token_id, told_uid(values["uid"], given.type))])
    return await queries.get_token(conn, actor.party_id, token_id)


async def change_token(
    conn: Connection, actor: Actor, token_id: UUID, given: TokenChange, if_version: int | None = None
) -> TokenView:
    """Raises NotFound, Invalid, and Conflict when it is not in the version `if_version`."""
    before = await queries.get_token(conn, actor.party_id, token_id)
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    await _check(conn, actor, {**msgspec.structs.asdict(before), **values}, values)
    if "status" in values:
        values["is_blocked_with_driver"] = False
    await _write(conn, actor, token_id, values, if_version)
    values.pop("is_blocked_with_driver", None)
    if "driver_id" in values:
        await store.note_holders(conn, actor.party_id, [before.uid.lower()])
    changes = [(msgspec.structs.asdict(before), values)]
    uid = told_uid(before.uid, before.type)
    await note(conn, actor, "changed", [(token_id, uid)], {"fields": sorted(values)}, changes=changes)
    return await queries.get_token(conn, actor.party_id, token_id)


async def claim_token(conn: Connection, actor: Actor, uid: str, driver_id: UUID, since: datetime) -> TokenView | None:
    """Give a card to a driver who has shown that it is in their hand: one that nobody holds, and that began a session
    after `since`. What it did before stays nobody's. None where it is not so, whatever the reason.
    """
    found = await store.find_claimable(conn, actor.party_id, uid, since)
    if found is None:
        return None
    before = await queries.get_token(conn, actor.party_id, found)
    values: dict[str, Any] = {"driver_id": driver_id}
    await _check(conn, actor, {**msgspec.structs.asdict(before), **values}, values)
    await _write(conn, actor, found, values, before.version)
    await store.note_holders(conn, actor.party_id, [before.uid.lower()], since)
    changes = [(msgspec.structs.asdict(before), values)]
    await note(conn, actor, "changed", [(found, before.uid)], {"fields": sorted(values)}, changes=changes)
    return await queries.get_token(conn, actor.party_id, found)


async def set_status(
    conn: Connection,
    actor: Actor,
    token_id: UUID,
    status: Literal["active", "blocked"],
    if_version: int | None = None,
) -> TokenView:
    """Block a token, or let it charge again. Raises NotFound, Conflict, and Refused while its driver is blocked."""
    before = await queries.get_token(conn, actor.party_id, token_id)
    if status == "active" and before.driver_id is not None:
        driver = await store.find_driver(conn, actor.party_id, before.driver_id)
        if driver is None or driver["status"] != "active":
            raise Refused(DRIVER_BLOCKED, code="driver_blocked")
    await _write(conn, actor, token_id, {"status": status, "is_blocked_with_driver": False}, if_version)
    await store.set_paired_status(conn, actor.party_id, token_id, status)
    what = "blocked" if status == "blocked" else "unblocked"
    changes = [({"status": before.status}, {"status": status})]
    await note(conn, actor, what, [(token_id, told_uid(before.uid, before.type))], changes=changes)
    return await queries.get_token(conn, actor.party_id, token_id)


async def pair_vehicle(conn: Connection, actor: Actor, token_id: UUID, shown: Collection[str]) -> str | None:
    """A token for the car that was shown just before the card, with the card's limits; None where `pairing` sees doubt."""
    n_paired = await store.lock_with_vehicles(conn, actor.party_id, token_id)
    card = await queries.get_token(conn, actor.party_id, token_id)
    uid = vehicle_of(shown, await store.list_known(conn, actor.party_id, list(shown)), n_paired)
    if uid is None or len(uid) > 255:
        return None
    names = ("group_uid", "contract_id", "valid_from", "valid_until", "location_ids", "weekdays", "from_minute")
    values = {name: getattr(card, name) for name in (*names, "until_minute", "driver_id")}
    kind = "MacAddress" if re.fullmatch(r"(VID:)?[0-9A-Fa-f]{12}", uid) else "EVCCID"
    values |= {"uid": uid, "type": kind, "label": f"Vehicle of {card.label or card.uid}"[:255], "paired_with": token_id}
    vehicle_id = new_id()
    if not await store.insert_token(conn, actor.party_id, vehicle_id, values):
        return None
    await store.note_holders(conn, actor.party_id, [uid.lower()])
    await note(conn, actor, "created", [(vehicle_id, uid)])
    return uid


async def delete_token(conn: Connection, actor: Actor, token_id: UUID, if_version: int | None = None) -> None:
    """Its sessions stay, with its uid. Raises NotFound, Conflict."""
    before = await queries.get_token(conn, actor.party_id, token_id)
    if not await store.delete_token(conn, actor.party_id, token_id, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    await store.note_holders(conn, actor.party_id, [before.uid.lower()])
    await note(conn, actor, "deleted", [(token_id, told_uid(before.uid, before.type))])


async def drop_over(conn: Connection, kind: str, label: str, before: datetime) -> int:
    """Tokens of a type and with a label that begins so, which nobody made by hand, and that were good until before then;
    their sessions stay, with their uid. How many.
    """
    return await store.drop_over(conn, kind, label, before)


async def import_tokens(conn: Connection, actor: Actor, data: bytes, *, all_or_none: bool = False) -> TokenReport:
    """Take a table or a workbook in. Good rows count even when others fail, unless it is `all_or_none`.

    Raises Invalid when the whole cannot be read.
    """
    if is_workbook(data):
        lines = first_sheet(await asyncio.to_thread(read_workbook, data), SHEET)
        table = table_of(lines, REQUIRED, OPTIONAL, max_rows=MAX_ROWS)
    else:
        table = read_table(data, REQUIRED, OPTIONAL, max_rows=MAX_ROWS)
    report = TokenReport(failed=list(table.errors))
    numbered = _parse(table.rows, report)
    await store.hold_drivers(conn, "uid_key = any($1)", [list(numbered)], actor.party_id)
    present = await store.lock_tokens(conn, actor.party_id, list(numbered))
    for key, token in present.items():
        number, row = numbered[key]
        if row.status == "active" and token["driver_status"] not in (None, "active"):
            report.failed.append(RowError(number, "status", DRIVER_BLOCKED))
            del numbered[key]
    report.failed.sort(key=lambda error: error.row)
    if all_or_none and report.failed:
        report.is_kept = False
        return report
    wanted = {key: row for key, (_, row) in numbered.items()}
    present = {key: token for key, token in present.items() if key in wanted}
    fresh = [{**_values(row), "token_id": new_id()} for key, row in wanted.items() if key not in present]
    created = await store.insert_tokens(conn, actor.party_id, fresh) if fresh else set()
    await note(conn, actor, "created", [(t["token_id"], t["uid"]) for t in fresh if t["uid"].lower() in created])
    changed, changes = [], []
    for key, token in present.items():
        if values := _differences(wanted[key], token):
            if "status" in values:
                values["is_blocked_with_driver"] = False
            await store.update_token(conn, actor.party_id, token["token_id"], values, None)
            changed.append((token["token_id"], wanted[key].uid))
            values.pop("is_blocked_with_driver", None)
            changes.append(({name: token[name] for name in values}, values))
    await note(conn, actor, "changed", changed, changes=changes)
    report.created, report.updated = len(created), len(changed)
    report.unchanged = len(wanted) - len(created) - len(changed)
    return report


def _parse(rows: Iterable[TableRow], report: TokenReport) -> dict[str, tuple[int, TokenRow]]:
    wanted: dict[str, tuple[int, TokenRow]] = {}
    for row in rows:
        try:
            given = msgspec.convert(row.cells, TokenRow, strict=False)
            label = checked(given.label, "label") if given.label is not None else None
            given = msgspec.structs.replace(given, uid=_uid(given.uid, given.type), label=label)
            key = given.uid.lower()
            if key in wanted:
                raise Invalid(f"is in row {wanted[key][0]} already", "uid")
            if given.valid_from and given.valid_until and given.valid_from >= given.valid_until:
                raise Invalid("ends before it begins", "valid_until")
        except msgspec.ValidationError as error:
            report.failed.append(RowError(row.number, *fault_of(error)))
        except Invalid as error:
            report.failed.append(RowError(row.number, error.field, error.text))
        else:
            wanted[key] = (row.number, given)
    return wanted


def _values(row: TokenRow) -> dict[str, Any]:
    values = msgspec.structs.asdict(row)
    values["type"] = row.type or "ISO14443"
    values["status"] = row.status or "active"
    values["label"] = row.label or ""
    values["max_sessions"] = None if row.max_sessions == "any" else row.max_sessions or 1
    return values


def _differences(row: TokenRow, token: Row) -> dict[str, Any]:
    given = {name: value for name, value in msgspec.structs.asdict(row).items() if value is not None and name != "uid"}
    if given.get("max_sessions") == "any":
        given["max_sessions"] = None
    return {name: value for name, value in given.items() if value != token[name]}


def _uid(uid: str, kind: str | None) -> str:
    """As it is kept: contract ids in one form only. Raises Invalid."""
    if kind != "eMAID":
        return uid
    contract = parse_emaid(uid)
    if contract is None:
        raise Invalid("not a contract id, such as NL-TNM-C00122045-K", field="uid")
    if not contract.is_consistent:
        raise Invalid(f"the check digit does not fit: it would be {check_digit(contract.uid)}", field="uid")
    return contract.uid


async def _check(conn: Connection, actor: Actor, values: dict[str, Any], given: dict[str, Any] | None = None) -> None:
    """`values` are the token's as they will be, `given` those that are new; both are tidied."""
    for named in (values, given or {}):
        for name in ("label", "contract_id"):
            if named.get(name):
                named[name] = checked(named[name], name)
    if values["valid_from"] and values["valid_until"] and values["valid_from"] >= values["valid_until"]:
        raise Invalid("ends before it begins", field="valid_until")
    start, end = values["from_minute"], values["until_minute"]
    if start is not None and start == end:
        raise Invalid("a span without length: leave both out for the whole day", field="until_minute")
    wanted = set(values["location_ids"] or ())
    if wanted and await store.count_locations(conn, actor.party_id, list(wanted)) < len(wanted):
        raise Invalid("no such location", field="location_ids")
    if values["driver_id"] is not None:
        await _check_holder(conn, actor, values, given)


async def _check_holder(conn: Connection, actor: Actor, values: dict[str, Any], given: dict[str, Any] | None) -> None:
    """There is such a driver, who may charge unless the token may not; their group becomes the token's."""
    driver = await store.find_driver(conn, actor.party_id, values["driver_id"])
    if driver is None or driver["status"] == "erased":
        raise Invalid("no such driver", field="driver_id")
    if driver["status"] == "blocked" and values["status"] == "active":
        raise Invalid("the driver is blocked: give it blocked, or unblock the driver", field="driver_id")
    if driver["group_uid"] is None:
        return
    if given is None and values["group_uid"] is None:
        values["group_uid"] = driver["group_uid"]
    elif given is not None and "driver_id" in given and "group_uid" not in given:
        given["group_uid"] = driver["group_uid"]


async def _write(
    conn: Connection, actor: Actor, token_id: UUID, values: dict[str, Any], if_version: int | None
) -> None:
    if not await store.update_token(conn, actor.party_id, token_id, values, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)


def told_uid(uid: str, kind: str) -> str:
    """What records and audit tell of a token: not what is typed at keypads (KeyCode), which would outlive its use."""
    return "" if kind == "KeyCode" else uid


async def note(
    conn: Connection,
    actor: Actor,
    what: str,
    tokens: list[tuple[UUID, str]],
    detail: dict[str, Any] | None = None,
    changes: Sequence[tuple[dict[str, Any], dict[str, Any]]] = (),
) -> None:
    """Audit a change of tokens, by id and uid, and record it for those who follow.

    `changes`: fields before and after, of every token or of none. Which driver holds a token is told by neither: both
    outlive the driver's erasure.
    """
    fields = [_told(*both) for both in changes] or [({}, {})] * len(tokens)
    if len(tokens) == 1:
        noted = {"uid": tokens[0][1], **(detail or {})}
        before, after = fields[0]
        thing = f"token/{tokens[0][0]}"
        await accounts.audit(conn, actor, f"token.{what}", thing, noted, before=before, after=after)
    elif tokens:
        things = {f"token/{token_id}": both for (token_id, _), both in zip(tokens, fields, strict=True)}
        await accounts.audit_many(conn, actor, f"token.{what}", things)
    await record(
        conn,
        [
            Event(
                kind=f"Token{what.capitalize()}",
                subject=f"token/{token_id}",
                party_id=actor.party_id,
                payload={"token_id": token_id, "uid": uid, "by": actor.actor_id, **(detail or {})},
            )
            for token_id, uid in tokens
        ],
    )


def _told(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if "driver_id" not in after or before.get("driver_id") == after["driver_id"]:
        return before, after
    was, now = before.get("driver_id"), after["driver_id"]
    rest = {name: value for name, value in after.items() if name != "driver_id"}
    return (
        {**before, "driver": "nobody" if was is None else "a driver"},
        {**rest, "driver": "nobody" if now is None else "a driver" if was is None else "another driver"},
    )

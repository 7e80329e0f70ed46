"""What a person signs in with, looked after by the person: passkeys, a password, codes, recovery codes."""

from __future__ import annotations

import secrets
from typing import Any, Final
from uuid import UUID

import segno
from msgspec import Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor, NotAllowed
from ohmstead.accounts.signin import passkeys, passwords, store, totp
from ohmstead.accounts.signin.desk import CHALLENGE_GOOD_FOR_S, SignInDesk
from ohmstead.accounts.signin.model import Credentials, Factors, StoredPasskey
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id

MOST_PASSKEYS: Final = 20
N_RECOVERY_CODES: Final = 10
# Neither 0 and o nor 1, i and l: these are copied from paper.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_SECRET_BYTES: Final = 20


class CodeSecret(Struct, frozen=True, kw_only=True):
    """A code secret to be set up: as text to type, and as a QR code (SVG)."""

    text: str
    qr_svg: str


async def get_factors(conn: Connection, operator_id: UUID) -> Factors:
    """Raises NotFound."""
    row = await store.find_state(conn, operator_id)
    if row is None:
        raise NotFound(f"no operator {operator_id}")
    return Factors(
        passkeys=await store.list_passkeys(conn, operator_id),
        has_password=row["has_password"],
        password_set_at=row["password_set_at"],
        has_codes=row["totp_since"] is not None,
        codes_since=row["totp_since"],
        n_recovery_codes=row["n_codes"],
        providers=list(row["providers"]),
    )


async def forget_factors(conn: Connection, operator_id: UUID) -> None:
    """Nothing that the person had lets them in any more: passkeys, password, codes, providers, links."""
    await store.delete_factors(conn, operator_id)
    await store.set_password(conn, operator_id, None, clock.now())
    await store.set_codes(conn, operator_id, None, None, 0)


# ---------------------------------------------------------------------------------------------------------- passkeys


async def ask_to_add_passkey(conn: Connection, desk: SignInDesk, actor: Actor) -> dict[str, Any]:
    """What the person's browser is to ask for."""
    found = await _of(conn, actor)
    challenge = desk.seals.note("add passkey", actor.actor_id, clock.now(), CHALLENGE_GOOD_FOR_S)
    known = await store.list_stored_passkeys(conn, found.operator.operator_id)
    name = found.operator.email or found.operator.name
    return passkeys.ask_to_register(desk.party, challenge, found.operator.operator_id, name, known)


async def add_passkey(conn: Connection, desk: SignInDesk, actor: Actor, name: str, answer: dict[str, Any]) -> UUID:
    """Keep a passkey that the person's browser just made. Raises Invalid, Refused and Conflict."""
    found = await _of(conn, actor, for_update=True)
    operator_id = found.operator.operator_id
    name = _named(name)
    challenge = passkeys.challenge_of(answer)
    opened = desk.seals.open("add passkey", challenge, clock.now())
    if opened.content != actor.actor_id:
        raise Refused("this was begun by somebody else: begin again")
    made = passkeys.check_registration(desk.party, challenge, answer)
    if not await store.spend(conn, opened.digest, opened.until, clock.now()):
        raise Refused("this answer was used already")
    if len(await store.list_passkeys(conn, operator_id)) >= MOST_PASSKEYS:
        raise Refused(f"you have {MOST_PASSKEYS} passkeys: remove one that is no longer used first")
    kept = StoredPasskey(
        passkey_id=new_id(),
        operator_id=operator_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        transports=made.transports,
    )
    if not await store.insert_passkey(conn, kept, name, made.is_synced, clock.now()):
        raise Conflict("this passkey is registered already")
    await accounts.audit(conn, actor.at_home, "passkey.added", f"operator/{operator_id}", {"name": name})
    return kept.passkey_id


async def rename_passkey(conn: Connection, actor: Actor, passkey_id: UUID, name: str) -> None:
    """Raises Invalid and NotFound."""
    if not await store.rename_passkey(conn, _person(actor), passkey_id, _named(name)):
        raise NotFound("no such passkey")


async def remove_passkey(conn: Connection, actor: Actor, passkey_id: UUID) -> None:
    """It opens nothing from now on. Raises NotFound, and Refused when it is the only way in."""
    found = await _of(conn, actor, for_update=True)
    factors = await get_factors(conn, found.operator.operator_id)
    if len(factors.passkeys) == 1 and not factors.has_password and not factors.providers:
        raise Refused("it is your only way to sign in: add another passkey or a password first")
    name = await store.delete_passkey(conn, found.operator.operator_id, passkey_id)
    if name is None:
        raise NotFound("no such passkey")
    thing = f"operator/{found.operator.operator_id}"
    await accounts.audit(conn, actor.at_home, "passkey.removed", thing, {"name": name})


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 60 or not name.isprintable():
        raise Invalid("a name of up to 60 characters, so that you know it again", "name")
    return name


# ---------------------------------------------------------------------------------------------------------- password


async def set_password(conn: Connection, desk: SignInDesk, actor: Actor, password: str) -> None:
    """Set or change the password; the person's other browsers are signed out. Raises Invalid.

    It needs an e-mail address: that is what people type beside it.
    """
    found = await _of(conn, actor)
    operator = found.operator
    if operator.email is None:
        raise Invalid("a password is asked for together with your e-mail address: enter that first", "email")
    passwords.check(password, [operator.name, operator.email])
    await passwords.check_breaches(desk.breaches, password)
    kept = await desk.keeper.hash(password)
    await store.set_password(conn, operator.operator_id, kept, clock.now())
    await accounts.audit(conn, actor.at_home, "password.set", f"operator/{operator.operator_id}")
    await accounts.end_sessions(conn, actor, operator.operator_id, but=actor.web_session_id)


async def remove_password(conn: Connection, actor: Actor) -> None:
    """Raises Refused when it is the only way in."""
    found = await _of(conn, actor, for_update=True)
    factors = await get_factors(conn, found.operator.operator_id)
    if not factors.passkeys and not factors.providers:
        raise Refused("it is your only way to sign in: add a passkey first")
    await store.set_password(conn, found.operator.operator_id, None, clock.now())
    await accounts.audit(conn, actor.at_home, "password.removed", f"operator/{found.operator.operator_id}")


# ------------------------------------------------------------------------------------------------------------- codes


async def begin_codes(conn: Connection, desk: SignInDesk, actor: Actor) -> CodeSecret:
    """A code secret for the person's app; it counts once a code of it was shown. Raises Refused when codes are set up."""
    found = await _of(conn, actor, for_update=True)
    if found.has_codes:
        raise Refused("codes are set up already: switch them off first, to set them up anew")
    secret = secrets.token_bytes(_SECRET_BYTES)
    operator_id = found.operator.operator_id
    await store.set_codes(conn, operator_id, desk.seals.keep(secret, operator_id.bytes), None, 0)
    return _shown(desk, found, secret)


async def pending_codes(conn: Connection, desk: SignInDesk, actor: Actor) -> CodeSecret | None:
    """The secret that waits for its first code; None when none does."""
    found = await _of(conn, actor)
    if found.totp_secret is None or found.has_codes:
        return None
    return _shown(desk, found, desk.seals.read(found.totp_secret, found.operator.operator_id.bytes))


async def confirm_codes(conn: Connection, desk: SignInDesk, actor: Actor, code: str) -> list[str]:
    """The app's first code: from now on codes are asked for. Gives the recovery codes, this once. Raises Invalid."""
    found = await _of(conn, actor, for_update=True)
    operator_id = found.operator.operator_id
    if found.totp_secret is None or found.has_codes:
        raise Refused("there is nothing to confirm: begin again")
    secret = desk.seals.read(found.totp_secret, operator_id.bytes)
    step = totp.step_of(secret, code, clock.now().timestamp(), 0)
    if step is None:
        raise Invalid("is not what the app shows now: is the phone's clock right?", "code")
    await store.set_codes(conn, operator_id, found.totp_secret, clock.now(), step)
    await accounts.audit(conn, actor.at_home, "codes.set_up", f"operator/{operator_id}")
    return await _new_recovery_codes(conn, desk, operator_id)


async def remake_recovery_codes(conn: Connection, desk: SignInDesk, actor: Actor) -> list[str]:
    """New recovery codes, told this once; the old ones open nothing. Raises Refused without codes."""
    found = await _of(conn, actor, for_update=True)
    if not found.has_codes:
        raise Refused("recovery codes stand in for codes: set those up first")
    await accounts.audit(conn, actor.at_home, "recovery_codes.made", f"operator/{found.operator.operator_id}")
    return await _new_recovery_codes(conn, desk, found.operator.operator_id)


async def remove_codes(conn: Connection, actor: Actor) -> None:
    """The password alone signs in from now on."""
    operator_id = _person(actor)
    await store.set_codes(conn, operator_id, None, None, 0)
    await store.replace_recovery_codes(conn, operator_id, [])
    await accounts.audit(conn, actor.at_home, "codes.removed", f"operator/{operator_id}")


async def _new_recovery_codes(conn: Connection, desk: SignInDesk, operator_id: UUID) -> list[str]:
    plain = ["".join(secrets.choice(_ALPHABET) for _ in range(12)) for _ in range(N_RECOVERY_CODES)]
    await store.replace_recovery_codes(
        conn, operator_id, [desk.seals.code_hash(one, operator_id.bytes) for one in plain]
    )
    return [f"{one[:4]}-{one[4:8]}-{one[8:]}" for one in plain]


def _shown(desk: SignInDesk, found: Credentials, secret: bytes) -> CodeSecret:
    account = found.operator.email or found.operator.name
    address = totp.address_of(secret, account, f"{desk.party.name} ({desk.party.rp_id})")
    # Sizes as attributes and no styles: the policy allows none.
    svg = segno.make(address, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=False)
    text = totp.text_of(secret)
    return CodeSecret(text=" ".join(text[at : at + 4] for at in range(0, len(text), 4)), qr_svg=svg)


async def _of(conn: Connection, actor: Actor, *, for_update: bool = False) -> Credentials:
    found = await store.find_credentials(conn, _person(actor), for_update=for_update)
    if found is None:
        raise NotFound("no such operator")
    return found


def _person(actor: Actor) -> UUID:
    if actor.operator_id is None:
        raise NotAllowed("only a person has an account; this is a key")
    return actor.operator_id


# ---------------------------------------------------------------------------------------------------------- attempts

list_attempts = store.list_attempts
count_refused = store.count_refused
drop_old = store.drop_old

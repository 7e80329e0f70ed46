"""Drivers sign in by a code sent to their mailbox, or by a passkey. The edge opens the transaction.

An address that was confirmed is a driver of the party: the one that operators wrote down with it, or a new one. So
nobody learns by asking for a code whether there is an account.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.signin import passkeys
from ohmstead.accounts.signin.desk import CHALLENGE_GOOD_FOR_S, SignInDesk
from ohmstead.accounts.signin.model import StoredPasskey
from ohmstead.accounts.signin.proofs import Seals
from ohmstead.core import clock
from ohmstead.core.callers import counted_as
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id, new_secret
from ohmstead.core.texts import checked
from ohmstead.drivers import queries
from ohmstead.drivers import service as drivers
from ohmstead.drivers.model import Email, NewDriver
from ohmstead.drivers.signin import codes, store
from ohmstead.drivers.signin.model import DriverWelcome, Method, SentCode, SignedInDriver

SESSION_IDLE: Final = timedelta(days=60)
SESSION_LONGEST: Final = timedelta(days=400)
MOST_PASSKEYS: Final = 10
PROOF_FRESH_FOR: Final = timedelta(minutes=10)
_TOUCH_EVERY: Final = timedelta(minutes=10)
WRONG: Final = "this code is not right, or it is over: look at the latest e-mail, or ask for a new code"


def address_of(text: str) -> str:
    """An e-mail address as it was typed. Raises Invalid."""
    try:
        return msgspec.convert(checked(text, "email"), Email)
    except msgspec.ValidationError:
        raise Invalid("is to be an e-mail address, as name@example.com", field="email") from None


async def home_of(conn: Connection, email: str) -> UUID:
    """The party in whose books an address is, else the installation's own. Raises NotFound before there is one."""
    found = await store.find_home(conn, email) or await store.find_first_party(conn)
    if found is None:
        raise NotFound("nobody runs this installation yet")
    return found


async def begin_code(conn: Connection, seals: Seals, party_id: UUID, email: str, address: str) -> SentCode:
    """A code for a mailbox; the caller sends it. Raises TooManyAttempts for a mailbox or an address that asks a lot.

    A mailbox at whose codes somebody guesses gets longer ones: to shut it would shut out whose it is.
    """
    now, address = clock.now(), counted_as(address)
    await store.hold_email(conn, party_id, email)
    codes.check_often(await store.count_codes(conn, email, address, now - timedelta(hours=1)), now)
    code, code_id = codes.draw(await store.count_wrong(conn, email, now - timedelta(days=1))), new_id()
    await store.insert_code(
        conn, party_id, code_id, email, seals.code_hash(code, code_id.bytes), address, now, now + codes.GOOD_FOR
    )
    return SentCode(code_id=code_id, party_id=party_id, email=email, code=code, expires_at=now + codes.GOOD_FOR)


async def try_code(conn: Connection, seals: Seals, code_id: UUID, code: str) -> tuple[UUID, str] | None:
    """The party and address that a right code confirms. None for a wrong one, which is counted: commit it.

    Raises Refused for a code that is over, was used, or was guessed at too often.
    """
    now = clock.now()
    found = await store.lock_code(conn, code_id)
    if found is None or codes.is_over(
        now, expires_at=found["expires_at"], used_at=found["used_at"], n_wrong=found["n_wrong"]
    ):
        raise Refused(WRONG)
    is_right = codes.is_right(seals, code_id, found["code_hash"], code)
    await store.mark_code(conn, code_id, used_at=now if is_right else None)
    return (found["party_id"], found["email"]) if is_right else None


async def welcome_by_email(
    conn: Connection, party_id: UUID, email: str, *, language: str | None, user_agent: str | None
) -> DriverWelcome:
    """A session of whoever has shown that the mailbox is theirs; the first time that makes them a driver."""
    await store.hold_email(conn, party_id, email)
    driver_id = await store.find_by_email(conn, party_id, email)
    is_new = driver_id is None
    if driver_id is None:
        name = email.partition("@")[0]
        made = await drivers.create_driver(
            conn, access.system(party_id), NewDriver(name=name, email=email, language=language)
        )
        driver_id = made.driver_id
    return await _open(conn, party_id, driver_id, "code", user_agent, is_new=is_new)


async def _open(
    conn: Connection, party_id: UUID, driver_id: UUID, method: Method, user_agent: str | None, *, is_new: bool = False
) -> DriverWelcome:
    cookie, csrf_token, now = new_secret(32), new_secret(24), clock.now()
    await store.insert_session(
        conn,
        party_id,
        driver_id,
        new_id(),
        _digest(cookie),
        csrf_token,
        method,
        now,
        now + SESSION_IDLE,
        user_agent[:300] if user_agent else None,
    )
    return DriverWelcome(cookie=cookie, csrf_token=csrf_token, driver_id=driver_id, party_id=party_id, is_new=is_new)


async def recognise(conn: Connection, cookie: str) -> SignedInDriver | None:
    """Whose browser it is; the session's end moves on with use."""
    now, cookie_hash = clock.now(), _digest(cookie)
    row = await store.find_session(conn, cookie_hash, now)
    if row is None:
        return None
    if now - row["last_seen_at"] >= _TOUCH_EVERY:
        await store.touch_session(conn, cookie_hash, now, min(row["created_at"] + SESSION_LONGEST, now + SESSION_IDLE))
    return SignedInDriver(
        driver_id=row["driver_id"],
        party_id=row["party_id"],
        party_name=row["party_name"],
        name=row["name"],
        email=row["email"],
        language=row["language"],
        status=row["status"],
        unconfirmed_phone=row["unconfirmed_phone"],
        session_id=row["driver_session_id"],
        csrf_token=row["csrf_token"],
        proved_at=row["proved_at"],
    )


async def sign_out(conn: Connection, cookie: str) -> None:
    """The cookie opens nothing from now on."""
    await store.delete_session_by_cookie(conn, _digest(cookie))


async def end_browser(conn: Connection, who: SignedInDriver, driver_session_id: UUID) -> None:
    """Raises NotFound."""
    if not await store.delete_sessions(conn, who.party_id, who.driver_id, driver_session_id):
        raise NotFound("no such browser")


# ---------------------------------------------------------------------------------------------------------- passkeys


def ask_for_passkey(desk: SignInDesk) -> dict[str, Any]:
    """What the browser is to ask for: of whoever has a passkey here."""
    return passkeys.ask_to_sign(desk.party, desk.seals.note("driver passkey", None, clock.now(), CHALLENGE_GOOD_FOR_S))


async def welcome_by_passkey(
    conn: Connection, desk: SignInDesk, answer: dict[str, Any], user_agent: str | None
) -> DriverWelcome:
    """A session of whoever the passkey is of. Raises Refused."""
    challenge = passkeys.challenge_of(answer)
    opened = desk.seals.open("driver passkey", challenge, clock.now())
    found = await store.find_passkey(conn, passkeys.credential_of(answer))
    if found is None:
        raise Refused("this passkey is not known here: sign in by e-mail")
    party_id, known = found
    done = passkeys.check_signature(desk.party, challenge, answer, known)
    if not await desk.spend(conn, opened):
        raise Refused("this answer was used already")
    await store.use_passkey(conn, party_id, known.passkey_id, done.sign_count, done.is_synced, clock.now())
    return await _open(conn, party_id, known.operator_id, "passkey", user_agent)


async def ask_to_add_passkey(conn: Connection, desk: SignInDesk, who: SignedInDriver) -> dict[str, Any]:
    """What the driver's browser is to make."""
    challenge = desk.seals.note("add driver passkey", str(who.driver_id), clock.now(), CHALLENGE_GOOD_FOR_S)
    known = await store.list_stored(conn, who.party_id, who.driver_id)
    return passkeys.ask_to_register(desk.party, challenge, who.driver_id, who.email or who.name, known)


async def add_passkey(
    conn: Connection, desk: SignInDesk, who: SignedInDriver, name: str, answer: dict[str, Any]
) -> None:
    """Keep what the browser just made. Raises Invalid, Refused, Conflict."""
    name = checked(name, "name")[:100]
    if not name:
        raise Invalid("may not be empty", field="name")
    challenge = passkeys.challenge_of(answer)
    opened = desk.seals.open("add driver passkey", challenge, clock.now())
    if opened.content != str(who.driver_id):
        raise Refused("this was begun by somebody else: begin again")
    made = passkeys.check_registration(desk.party, challenge, answer)
    if not await desk.spend(conn, opened):
        raise Refused("this answer was used already")
    if len(await store.list_passkeys(conn, who.party_id, who.driver_id)) >= MOST_PASSKEYS:
        raise Refused(f"you have {MOST_PASSKEYS} passkeys: remove one that is no longer used first")
    kept = StoredPasskey(
        passkey_id=new_id(),
        operator_id=who.driver_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        transports=made.transports,
    )
    if not await store.insert_passkey(conn, who.party_id, kept, name, made.is_synced, clock.now()):
        raise Conflict("this passkey is registered already")
    await accounts.audit(conn, who.actor, "driver.passkey_added", f"driver/{who.driver_id}")


async def remove_passkey(conn: Connection, who: SignedInDriver, passkey_id: UUID) -> None:
    """Raises NotFound. The mailbox always lets its driver in."""
    if not await store.delete_passkeys(conn, who.party_id, who.driver_id, passkey_id):
        raise NotFound("no such passkey")
    await accounts.audit(conn, who.actor, "driver.passkey_removed", f"driver/{who.driver_id}")


async def forget(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """Everything by which a driver signs in, before they are erased."""
    found = await queries.find_driver(conn, party_id, driver_id)
    if found is not None and found.email:
        await store.forget_email(conn, found.email)
    await store.delete_passkeys(conn, party_id, driver_id)
    await store.delete_sessions(conn, party_id, driver_id)


async def drop_old(conn: Connection) -> None:
    """What has been over for a day."""
    await store.drop_old(conn, clock.now() - timedelta(days=1))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

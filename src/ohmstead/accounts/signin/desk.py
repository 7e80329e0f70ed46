"""Where people who are not signed in yet show who they are: by passkey, by password and code, by link.

What is wrong is told in one sentence for everybody, after the same work, whether the account exists or not. Wrong
attempts are counted before the password is looked at, so that many at once are not free either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from ohmstead.accounts import access, service
from ohmstead.accounts.access import Actor, TooManyAttempts
from ohmstead.accounts.model import Operator
from ohmstead.accounts.providers.model import Vouched
from ohmstead.accounts.service import SignedIn
from ohmstead.accounts.signin import backoff, devices, passkeys, store, totp
from ohmstead.accounts.signin.backoff import Policy
from ohmstead.accounts.signin.model import Credentials, Method, Visit
from ohmstead.accounts.signin.passkeys import RelyingParty
from ohmstead.accounts.signin.passwords import BreachList, Keeper
from ohmstead.accounts.signin.proofs import Note, Seals
from ohmstead.core import clock
from ohmstead.core.callers import counted_as
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Refused

WRONG: Final = "the address, the password or the code is not right"
STEP_GOOD_FOR_S: Final = 300
CHALLENGE_GOOD_FOR_S: Final = 300
BROWSER_KNOWN_FOR_S: Final = 400 * 86400


class SecondStep(Struct, frozen=True, kw_only=True):
    """The password was right; `note` and a code finish the sign-in."""

    note: str


class Welcome(Struct, frozen=True, kw_only=True):
    """Signed in. `known` marks this browser for the next time."""

    session: SignedIn
    known: str


class SignInDesk:
    """The doors for those who are nobody yet, and for those who prove once more that it is them."""

    def __init__(
        self,
        pool: Pool,
        seals: Seals,
        party: RelyingParty,
        keeper: Keeper | None = None,
        breaches: BreachList | None = None,
    ) -> None:
        self._pool = pool
        self.seals = seals
        self.party = party
        self.keeper = keeper or Keeper()
        self.breaches = breaches

    # ------------------------------------------------------------------------------------------------ by password

    async def by_password(self, visit: Visit, email: str, password: str) -> Welcome | SecondStep:
        """Raises Refused when it is not right, and TooManyAttempts after too many such."""
        email = email.replace("\x00", "").encode("utf-8", "replace").decode().strip()[:320]
        mark = self._mark(visit)
        async with self._pool.acquire() as conn:
            found = await store.find_by_email(conn, email)
        is_known = found is not None and mark is not None and mark[0] == str(found.operator.operator_id)
        account = _key("browser", mark[1]) if is_known and mark else _key("account", email.lower())
        await self._count(visit, account, "password", found, email)
        is_right = await self.keeper.fits(found.password_hash if found else None, password)
        if found is None or not is_right:
            await self._refused(visit, "password", found, email, "wrong address or password")
            raise Refused(WRONG)
        if found.has_codes:
            # The password counts as right only together with the code: the attempt stays counted until then.
            content = [str(found.operator.operator_id), account.hex(), _mark_of(found)]
            return SecondStep(note=self.seals.note_text("code", content, clock.now(), STEP_GOOD_FOR_S))
        async with self._pool.acquire() as conn, conn.transaction():
            await self._renew_hash(conn, found, password)
            return await self._welcome(conn, visit, found.operator, "password", [account])

    async def by_code(self, visit: Visit, note: str, code: str) -> Welcome:
        """The second step: a code of the app, or a recovery code. Raises Refused and TooManyAttempts as the first does."""
        opened = self.seals.open("code", note, clock.now())
        operator_id, account, began_with = opened.content
        async with self._pool.acquire() as conn:
            found = await store.find_credentials(conn, UUID(operator_id))
        if found is None:
            raise Refused(WRONG)
        if not found.has_codes or _mark_of(found) != began_with:
            raise Refused("the password or the codes were changed meanwhile: begin again")
        codes = _key("codes", operator_id)
        await self._count(visit, codes, "password", found, found.operator.email or found.operator.name)
        async with self._pool.acquire() as conn, conn.transaction():
            is_right = await self._takes_code(conn, found, code)
            if is_right and not await store.spend(conn, opened.digest, opened.until, clock.now()):
                raise Refused("this sign-in was finished already: begin again")
            if is_right:
                return await self._welcome(conn, visit, found.operator, "password", [codes, bytes.fromhex(account)])
        await self._refused(visit, "password", found, "", "wrong code")
        raise Refused(WRONG)

    # ------------------------------------------------------------------------------------------------- by passkey

    def ask_for_passkey(self) -> dict[str, Any]:
        """What the browser is to ask the person for; of whoever has a passkey for this address."""
        return passkeys.ask_to_sign(self.party, self.seals.note("passkey", None, clock.now(), CHALLENGE_GOOD_FOR_S))

    async def by_passkey(self, visit: Visit, answer: dict[str, Any]) -> Welcome:
        """Raises Refused. A passkey cannot be guessed, so attempts at the password never keep one out."""
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                operator = (await self._assert(conn, answer, "passkey", None)).operator
                return await self._welcome(conn, visit, operator, "passkey", [])
        except Refused as refused:
            await self._refused(visit, "passkey", None, "", refused.text)
            raise

    async def _assert(self, conn: Connection, answer: dict[str, Any], purpose: str, of: UUID | None) -> Credentials:
        challenge = passkeys.challenge_of(answer)
        opened = self.seals.open(purpose, challenge, clock.now())
        if opened.content != (str(of) if of else None):
            raise Refused("this was begun by somebody else: begin again")
        known = await store.find_passkey(conn, passkeys.credential_of(answer))
        if known is None or (of is not None and known.operator_id != of):
            raise Refused("this passkey is not known here: it was removed, or belongs to another installation")
        done = passkeys.check_signature(self.party, challenge, answer, known)
        if not await store.spend(conn, opened.digest, opened.until, clock.now()):
            raise Refused("this answer was used already")
        found = await store.find_credentials(conn, known.operator_id)
        if found is None:
            raise Refused("this account is disabled")
        await store.use_passkey(conn, known.passkey_id, done.sign_count, done.is_synced, clock.now())
        return found

    # ---------------------------------------------------------------------------------------- by link, by provider

    async def by_link(self, visit: Visit, secret: str) -> Welcome:
        """Raises Refused when the link is unknown, used or over."""
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                signed_in = await service.redeem_sign_in_link(
                    conn, secret, remote_address=visit.address, user_agent=visit.user_agent
                )
                await self._note(conn, visit, signed_in.operator, "link")
                return Welcome(session=signed_in, known=self._known(signed_in.operator))
        except Refused as refused:
            await self._refused(visit, "link", None, "", refused.text)
            raise

    async def by_provider(
        self, conn: Connection, visit: Visit, operator: Operator, provider: str, id_token: str
    ) -> Welcome:
        """Somebody whom a provider vouches for."""
        return await self._welcome(conn, visit, operator, "provider", [], provider=provider, id_token=id_token)

    def check_vouched(self, actor_id: str, operator: Operator, vouched: Vouched) -> None:
        """Whether a provider's word is a fresh proof of somebody signed in. Raises Refused."""
        if actor_id != f"operator:{operator.operator_id}":
            raise Refused("the provider vouches for somebody else than you")
        age_s = clock.now().timestamp() - (vouched.authenticated_at or 0)
        if age_s > access.PROOF_FRESH_FOR.total_seconds():
            raise Refused("the provider did not ask you anew: show it with a passkey or password of your own")

    async def spend(self, conn: Connection, note: Note) -> bool:
        """Use a note up; False when it was used before."""
        return await store.spend(conn, note.digest, note.until, clock.now())

    async def refused_by_provider(self, visit: Visit, provider: str, reason: str) -> None:
        """Note an attempt that came to nothing."""
        await self._refused(visit, "provider", None, "", f"{provider}: {reason}")

    # --------------------------------------------------------------------------------------------- proving it again

    async def ask_for_proof(self, actor: Actor) -> dict[str, Any]:
        """What the browser of somebody signed in is to ask for. Raises Refused for whoever has no passkey."""
        operator_id = _person(actor)
        async with self._pool.acquire() as conn:
            known = await store.list_stored_passkeys(conn, operator_id)
        if not known:
            raise Refused("you have no passkey yet")
        challenge = self.seals.note("proof", str(operator_id), clock.now(), CHALLENGE_GOOD_FOR_S)
        return passkeys.ask_to_sign(self.party, challenge, known)

    async def prove_by_passkey(self, actor: Actor, answer: dict[str, Any]) -> SignedIn:
        """The session goes on under a fresh cookie. Raises Refused."""
        async with self._pool.acquire() as conn, conn.transaction():
            await self._assert(conn, answer, "proof", _person(actor))
            return await service.renew_session(conn, actor)

    async def prove_by_password(self, actor: Actor, visit: Visit, password: str, code: str) -> SignedIn:
        """The session goes on under a fresh cookie. Raises Refused and TooManyAttempts."""
        async with self._pool.acquire() as conn:
            found = await store.find_credentials(conn, _person(actor))
        if found is None or found.password_hash is None:
            raise Refused("you have no password here")
        key = _key("proof", str(found.operator.operator_id))
        await self._count(visit, key, "password", found, found.operator.email or found.operator.name)
        is_right = await self.keeper.fits(found.password_hash, password)
        async with self._pool.acquire() as conn, conn.transaction():
            if is_right and (not found.has_codes or await self._takes_code(conn, found, code)):
                await self._succeeded(conn, visit, [key])
                return await service.renew_session(conn, actor)
        await self._refused(visit, "password", found, "", "wrong password or code, when asked to prove it")
        raise Refused("the password or the code is not right")

    # ------------------------------------------------------------------------------------------------- what they share

    async def _takes_code(self, conn: Connection, found: Credentials, code: str) -> bool:
        """Whether it is a code of the app that was not used yet, or a recovery code, which is used up by this."""
        operator_id = found.operator.operator_id
        assert found.totp_secret is not None
        secret = self.seals.read(found.totp_secret, operator_id.bytes)
        step = totp.step_of(secret, code, clock.now().timestamp(), found.totp_last_step)
        if step is not None:
            return await store.use_step(conn, operator_id, step)
        plain = "".join(one for one in code.lower() if one.isalnum())[:64]
        is_recovery = await store.use_recovery_code(
            conn, operator_id, self.seals.code_hash(plain, operator_id.bytes), clock.now()
        )
        if is_recovery:
            actor = service.actor_of(found.operator)
            await service.audit(conn, actor, "recovery_code.used", f"operator/{operator_id}")
        return is_recovery

    async def _renew_hash(self, conn: Connection, found: Credentials, password: str) -> None:
        if found.password_hash and self.keeper.is_outdated(found.password_hash):
            kept = await self.keeper.hash(password)
            await store.set_password(conn, found.operator.operator_id, kept, clock.now())

    async def _count(self, visit: Visit, account: bytes, method: Method, found: Credentials | None, name: str) -> None:
        """Count an attempt as failed before it is looked at. Raises TooManyAttempts while the account or address waits."""
        now = clock.now()
        held: list[tuple[bytes, Policy]] = sorted(
            [(account, backoff.ACCOUNT), (_key("address", counted_as(visit.address)), backoff.ADDRESS)]
        )
        async with self._pool.acquire() as conn, conn.transaction():
            memories = [await store.hold_backoff(conn, key, now) for key, _ in held]
            wait_s = max(backoff.blocked_s(memory, now) for memory in memories)
            if wait_s <= 0:
                for (key, policy), memory in zip(held, memories, strict=True):
                    await store.keep_backoff(conn, key, backoff.after_attempt(policy, memory, now))
        if wait_s > 0:
            seconds = int(wait_s) + 1
            await self._refused(visit, method, found, name, f"came {seconds} s too early after wrong attempts")
            raise TooManyAttempts(
                f"after several wrong attempts the next one is looked at in {seconds} s; nothing is locked for good,"
                " and a passkey works at once",
                retry_after_s=seconds,
            )

    async def _succeeded(self, conn: Connection, visit: Visit, keys: Sequence[bytes]) -> None:
        await store.forget_backoff(conn, keys)
        await store.give_back(conn, _key("address", counted_as(visit.address)))

    async def _welcome(
        self,
        conn: Connection,
        visit: Visit,
        operator: Operator,
        method: Method,
        keys: Sequence[bytes],
        *,
        provider: str | None = None,
        id_token: str | None = None,
    ) -> Welcome:
        if keys:
            await self._succeeded(conn, visit, keys)
        mark = self._mark(visit)
        is_known = mark is not None and mark[0] == str(operator.operator_id)
        session = await service.open_session(
            conn,
            operator,
            method,
            remote_address=visit.address,
            user_agent=visit.user_agent,
            provider=provider,
            id_token=id_token,
            detail={"device": devices.words(visit.user_agent), "is_new_browser": not is_known},
        )
        await self._note(conn, visit, operator, method)
        return Welcome(session=session, known=visit.known if is_known and visit.known else self._known(operator))

    async def _note(self, conn: Connection, visit: Visit, operator: Operator, method: Method) -> None:
        await store.insert_attempt(
            conn,
            operator.party_id,
            operator.operator_id,
            clock.now(),
            operator.email or operator.name,
            method,
            None,
            visit.address,
            (visit.user_agent or "")[:300] or None,
        )

    async def _refused(self, visit: Visit, method: Method, found: Credentials | None, name: str, reason: str) -> None:
        """In a transaction of its own: the one that was tried in is over."""
        if found is not None:
            name = found.operator.email or found.operator.name
        elif "@" not in name:
            name = ""  # people type passwords into the wrong field: what is no address is not kept
        async with self._pool.acquire() as conn:
            await store.insert_attempt(
                conn,
                found.operator.party_id if found else None,
                found.operator.operator_id if found else None,
                clock.now(),
                name[:200].replace("\x00", ""),
                method,
                reason[:300].replace("\x00", ""),
                visit.address,
                (visit.user_agent or "")[:300] or None,
            )

    def _known(self, operator: Operator) -> str:
        content = [str(operator.operator_id), uuid4().hex]
        return self.seals.note_text("browser", content, clock.now(), BROWSER_KNOWN_FOR_S)

    def _mark(self, visit: Visit) -> tuple[str, str] | None:
        """Whose browser this was before, and its number: guesses elsewhere do not make it wait."""
        if not visit.known:
            return None
        try:
            operator_id, number = msgspec.convert(
                self.seals.open("browser", visit.known, clock.now()).content, tuple[str, str]
            )
        except (Refused, msgspec.ValidationError):
            return None
        return operator_id, number


def _key(kind: str, what: str) -> bytes:
    return hashlib.sha256(f"{kind}:{what}".encode("utf-8", "surrogatepass")).digest()


def _mark_of(found: Credentials) -> str:
    """What becomes another when the password does, and tells nothing of it."""
    return hashlib.sha256((found.password_hash or "").encode()).hexdigest()[:32]


def _person(actor: Actor) -> UUID:
    if actor.operator_id is None:
        raise Refused("a key has no person to prove")
    return actor.operator_id

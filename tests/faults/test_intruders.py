"""Guessed passwords, shared identities, somebody else's session: refused rightly, told of, and nobody else disturbed."""

import asyncio
import base64
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from ohmstead.stations import credentials
from tests.faults.charges import Charge, register_stations
from tests.faults.line import VERSIONS, Line, Over, Refused
from tests.faults.own_process import Role, running
from tests.gateway.running import KEY, House, eventually, open_gateway

CHOSEN = "a fence painted green"  # what a person chose: checking it is dear
THIEF, HOME = "127.0.0.1", "127.0.0.2"
GUESSED = ["VICTIM", "NEIGHBOUR", "VISITOR"]
AT_ONCE = 40
WITHIN_S = 2.0  # a heartbeat, on two cores that the attack shares


async def _register(pool: Pool, settings: Settings, party_id: UUID, station_id: str, password: str) -> None:
    is_generated = password == KEY
    hashed = await credentials.hash_secret(password, settings.secret(), is_generated=is_generated)
    await pool.execute(
        "insert into station (station_id, party_id, security_profile, secret_hash, registration, booted_at)"
        " values ($1, $2, 1, $3, 'accepted', now())",
        station_id,
        party_id,
        hashed,
    )


class Thief:
    """Tries passwords over connections that it keeps, as a tool for that does; from its addresses in turn."""

    def __init__(self, port: int, addresses: list[str]) -> None:
        self._port = port
        self._addresses = addresses
        self.answers: Counter[int] = Counter()

    async def guess(self, station_ids: list[str], times: int) -> None:
        """Passwords for these identities in turn."""
        numbers = iter(range(times))
        await asyncio.gather(*(self._one(station_ids, numbers) for _ in range(AT_ONCE)))

    async def _one(self, station_ids: list[str], numbers: Iterator[int]) -> None:
        reader = writer = None
        for said, n in enumerate(numbers):
            if said % 10 == 0 and writer is not None and len(self._addresses) > 1:
                writer.close()
                writer = None
            station_id = station_ids[n % len(station_ids)]
            if writer is None:
                local = self._addresses[n % len(self._addresses)]
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(local, 0))
            assert reader is not None
            basic = base64.b64encode(f"{station_id}:guess number {n:08}".encode()).decode()
            writer.write(
                f"GET /ocpp/{station_id} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {basic}\r\n\r\n".encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.answers[int(head.split(" ", 2)[1])] += 1
            fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
            await reader.readexactly(int(fields.get("content-length", "0")))
            if fields.get("connection") == "close":
                writer.close()
                writer = None
        if writer is not None:
            writer.close()


class Witness:
    """A genuine station that goes on with its work, and how long it waited at worst."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.slowest_s = 0.0
        self.beats = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def working(cls, line: Line) -> AsyncIterator["Witness"]:
        one = cls(line)
        task = asyncio.create_task(one._work())
        try:
            yield one
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            line.abort()

    async def _work(self) -> None:
        while True:
            self.slowest_s = max(self.slowest_s, await self.line.beat_s())
            self.beats += 1
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guesses", "addresses", "identities", "most_judged"),
    [
        # An address may fail 300 times and twice a second more; what is judged at the same moment comes on top.
        (10_000, [THIEF], [*GUESSED, *(f"UNKNOWN-{n}" for n in range(50))], 650),
        (3_000, [THIEF, *(f"127.0.3.{n}" for n in range(1, 50))], GUESSED, 1_500),
    ],
    ids=["from one address", "from fifty"],
)
async def test_thousands_of_wrong_passwords_disturb_nobody(
    guesses: int,
    addresses: list[str],
    identities: list[str],
    most_judged: int,
    settings: Settings,
    db: Pool,
    party_id: UUID,
    tmp_path: Path,
) -> None:
    port = settings.gateway_port
    # All but BESIDE are guessed at. NEIGHBOUR and BESIDE share the thief's address, behind one router.
    for name in ("VICTIM", "VISITOR"):
        await _register(db, settings, party_id, name, CHOSEN)
    for name in ("NEIGHBOUR", "BESIDE"):
        await _register(db, settings, party_id, name, KEY)
    async with running("gateway", settings, tmp_path) as gateway:
        victim = await Line.open(port, "VICTIM", password=CHOSEN, local=HOME)
        neighbour = await Line.open(port, "NEIGHBOUR", password=KEY, local=THIEF)
        await (await Line.open(port, "BESIDE", password=KEY, local=THIEF)).close()
        async with Witness.working(victim) as one, Witness.working(neighbour) as other:
            thief = Thief(port, addresses)
            began = time.monotonic()
            guessing = asyncio.create_task(thief.guess(identities, guesses))
            await _come_again(port, guessing)
            await guessing
            took_s = time.monotonic() - began
            assert thief.answers.total() == guesses
            assert set(thief.answers) <= {401, 404, 429, 503}
            judged = thief.answers[401] + thief.answers[404]
            assert judged < most_judged, f"{judged} of {guesses} guesses cost a look at the password"
            assert took_s < 120
            assert one.beats > 5
            assert other.beats > 5
            assert (one.line.close_code, other.line.close_code) == (None, None)
            assert one.slowest_s < WITHIN_S, f"the victim waited {one.slowest_s:.2f} s"
            assert other.slowest_s < WITHIN_S, f"the neighbour waited {other.slowest_s:.2f} s"
        # The thief's own address is let go after a while: the station behind it comes back within the lock's time.
        await _patiently(port, "NEIGHBOUR", KEY, THIEF)
        await _is_told(db, gateway, thief.answers, addresses)


async def _come_again(port: int, guessing: "asyncio.Task[None]") -> None:
    """While the guessing goes on, genuine stations connect anew at once: one elsewhere, and one beside the thief."""
    times = 0
    while not guessing.done():
        for station_id, password, local in (("VISITOR", CHOSEN, HOME), ("BESIDE", KEY, THIEF)):
            line = await Line.open(port, station_id, password=password, local=local)
            await line.beat_s()
            await line.close()
        times += 1
        await asyncio.sleep(0.5)
    assert times >= 2


async def _patiently(port: int, station_id: str, password: str, local: str) -> None:
    async def comes() -> bool:
        line = await _try(port, station_id, password, local)
        if line is None:
            return False
        await line.beat_s()
        await line.close()
        return True

    await eventually(comes, "locked out for good", within_s=40)


async def _try(port: int, station_id: str, password: str, local: str) -> Line | None:
    """The line, or None when it was refused for now; refused otherwise it raises."""
    try:
        return await Line.open(port, station_id, password=password, local=local)
    except Refused as refused:
        if refused.status == 429 and "retry-after" in refused.head.lower():
            return None
        raise


async def _is_told(db: Pool, gateway: Role, answers: Counter[int], addresses: list[str]) -> None:
    """Counted in full; kept as rows only as far as a thief may fill the disk."""
    handshakes = await asyncio.to_thread(gateway.metric, "ohmstead_handshakes_total{")
    accepted = await asyncio.to_thread(gateway.metric, 'ohmstead_handshakes_total{outcome="accepted"}')
    assert handshakes - accepted >= answers.total()
    rows = await db.fetch("select * from security_signal where kind = 'connection_refused'")
    assert 50 <= len(rows) <= 1_200
    assert {row["remote_address"] for row in rows} <= set(addresses)
    assert "password_wrong" in {row["detail"]["reason"] for row in rows}


async def test_a_station_behind_the_thiefs_address_comes_back_even_after_a_restart_of_the_gateway(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    """Its address is full of refusals; that it came from there before is in the register, and is enough."""
    port = settings.gateway_port
    await _register(db, settings, party_id, "NEIGHBOUR", KEY)
    async with open_gateway(settings, db, party_id) as house:
        line = await Line.open(port, "NEIGHBOUR", password=KEY, local=THIEF)
        await line.beat_s()
        await line.close()
        await eventually(lambda: _is_offline(house, "NEIGHBOUR"))
    async with open_gateway(settings, db, party_id):
        thief = Thief(port, [THIEF])
        await thief.guess([f"UNKNOWN-{n}" for n in range(400)], 800)
        assert thief.answers[429] > 300
        line = await Line.open(port, "NEIGHBOUR", password=KEY, local=THIEF)
        await line.beat_s()
        await line.close()


async def _is_offline(house: House, station_id: str) -> bool:
    return not await house.is_connected(station_id)


# ---- one identity, two stations --------------------------------------------------------------------------------------


async def test_two_stations_with_one_identity_are_told_of_and_one_of_them_can_work(
    settings: Settings, party_id: UUID, house: House
) -> None:
    for name in ("TWIN", "OTHER"):
        await _register(house.pool, settings, party_id, name, KEY)
    served: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def insist(local: str) -> None:
        while not is_over.is_set():
            line = await _try(settings.gateway_port, "TWIN", KEY, local)
            if line is None:
                outcomes["held back"] += 1
                await asyncio.sleep(0.05)
                continue
            outcomes["let in"] += 1
            with contextlib.suppress(Over):
                while not is_over.is_set():
                    await line.beat_s()
                    served[local] += 1
                    await asyncio.sleep(0.02)
            line.abort()

    other = await Line.open(settings.gateway_port, "OTHER", password=KEY)
    async with Witness.working(other) as witness:
        twins = [asyncio.create_task(insist(local)) for local in (THIEF, HOME)]
        await eventually(lambda: _enough(outcomes, served), f"{outcomes} {served}", within_s=30)
        is_over.set()
        await asyncio.gather(*twins)
        assert witness.slowest_s < WITHIN_S
        assert witness.beats > 2
        assert other.close_code is None
    signal = await house.signal(kind="identity_flapping")
    assert (signal["station_id"], signal["party_id"]) == ("TWIN", party_id)
    assert {signal["remote_address"], signal["detail"]["old_address"]} == {THIEF, HOME}
    assert await house.signal(kind="connection_refused", reason="identity_flapping")


async def _enough(outcomes: Counter[str], served: Counter[str]) -> bool:
    """Held back many times, and whoever was let in last went on working meanwhile."""
    return outcomes["held back"] > 20 and max(served.values(), default=0) > 50


# ---- another's session -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_claims_anothers_session_changes_nothing_of_it(
    version: str, settings: Settings, db: Pool, party_id: UUID, house: House
) -> None:
    await register_stations(db, party_id, ["ST-1", "CLAIMS"])
    mine = await Line.open(settings.gateway_port, "ST-1", version)
    theirs = await Line.open(settings.gateway_port, "CLAIMS", version)
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    charge = Charge(version, began, samples=6)
    await charge.begin(mine)
    for n in (1, 2, 3):
        await mine.tell(*charge.sample(n))
    before = await db.fetchrow("select * from session where station_id = 'ST-1'")
    claim = Charge(version, began, samples=6, step_wh=400)
    claim.transaction_id = charge.transaction_id
    for _ in range(3):  # three times over: one signal, one orphan
        for n in (4, 5, 6):
            await theirs.tell(*claim.sample(n))
        await theirs.tell(*claim.stop())
    assert await db.fetchrow("select * from session where station_id = 'ST-1'") == before
    if version == "1.6":
        # Numbers of 1.6 are ours: whoever names one that we gave to another did not make it up.
        (signal,) = await house.signals(kind="foreign_transaction")
        assert (signal["station_id"], signal["party_id"]) == ("CLAIMS", party_id)
        assert signal["detail"]["transaction_id"] == str(charge.transaction_id)
    for n in (4, 5, 6):
        await mine.tell(*charge.sample(n))
    await mine.tell(*charge.stop())
    row = await db.fetchrow("select status, energy_wh from session where station_id = 'ST-1'")
    assert row is not None
    assert tuple(row) == ("completed", charge.energy_wh)
    for line in (mine, theirs):
        assert line.close_code is None
        await line.close()

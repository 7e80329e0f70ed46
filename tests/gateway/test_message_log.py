"""Lines of the message log keep their values, whatever characters are in them."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ohmstead.core.db import Pool
from ohmstead.core.writes import write_all
from ohmstead.ocpp import store
from ohmstead.ocpp.store import Exchange

MARKS = ["plain", "", "\x1f", "\x1e", "a\x1fb\x1ec", "\x1e\x1f", '{"a": "ü\\u001f"}', None]


@pytest.mark.parametrize("n_lines", [1, 2, 3])
@pytest.mark.parametrize("odd", MARKS)
async def test_a_line_is_read_as_it_was_written(odd: str | None, n_lines: int, db: Pool) -> None:
    lines = [
        Exchange(
            station_id=f"ST-{n}",
            received_at=datetime(2026, 3, 11, 13, 30, n, 123456, UTC),
            message_id=uuid4().hex if odd is None else odd,
            direction="in",
            version="2.0.1",
            action="Heartbeat",
            payload=odd,
            answer_kind="error" if n % 2 else None,
            answer=odd,
            error_code=None,
            latency_us=None if n % 2 else 1_234,
        )
        for n in range(n_lines)
    ]
    async with db.acquire() as conn:
        await write_all(conn, store.logged([store.row(line) for line in lines]))
    rows = await db.fetch("select * from ocpp_message order by station_id")
    assert [Exchange(**dict(row)) for row in rows] == lines

"""/concerns: what needs a person, most urgent first."""

from litestar import Response, get
from msgspec import Struct

from ohmstead.api.operations import TheActor, ThePool, answer, operation
from ohmstead.doorway import WITHIN
from ohmstead.reports import service as reports
from ohmstead.reports.model import Concern


class Concerns(Struct):
    """What needs a look, most urgent first."""

    items: list[Concern]


@get("/concerns", opt=operation("stations:read") | WITHIN)
async def list_concerns(pool: ThePool, actor: TheActor) -> Response[Concerns]:
    """List what needs a person: stations that are gone, faults, cards refused, certificates that end.

    `urgency`: `failed` (something does not work), `attention` (it will, or should be decided), `working` (it is being seen
    to, by itself). `path` is the page of the console where something can be done about it.
    """
    async with pool.acquire() as conn:
        return answer(Concerns(await reports.list_concerns(conn, actor.scope)))


HANDLERS = [list_concerns]

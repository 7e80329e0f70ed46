"""/installation: how it is set up. Read here, changed in its environment."""

from typing import Any

from litestar import Response, get

from ohmstead.accounts.access import ADMIN
from ohmstead.api.operations import ApiRequest, TheActor, ThePool, TheSettings, answer, operation
from ohmstead.core import clock
from ohmstead.reports.installation import service
from ohmstead.reports.installation.model import Integrations, Retention, SignInWays


@get("/installation/sign-in", opt=operation(ADMIN))
async def get_sign_in_ways(
    request: ApiRequest, pool: ThePool, actor: TheActor, settings: TheSettings
) -> Response[SignInWays]:
    """Read how people come in: providers with their rules, directories (SCIM), passkeys. Nothing secret is told."""
    providers: dict[str, Any] = request.app.state.providers
    async with pool.acquire() as conn:
        return answer(await service.sign_in_ways(conn, actor, settings, providers.values(), clock.now()))


@get("/installation/integrations", opt=operation(ADMIN))
async def get_integrations(actor: TheActor, settings: TheSettings) -> Response[Integrations]:
    """Read what outside is asked or told, and which vendors' own messages are understood."""
    return answer(service.integrations(actor, settings))


@get("/installation/retention", opt=operation(ADMIN))
async def get_retention(settings: TheSettings) -> Response[Retention]:
    """Read what is kept how long, and the settings that say so."""
    return answer(service.retention(settings))


HANDLERS = [get_sign_in_ways, get_integrations, get_retention]

"""/api/v1/payment-webhooks: what payment providers tell. No key: each message is signed with a secret of the provider's."""

from typing import Any, TypeAlias

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from ohmstead.api.operations import TheBus, ThePool
from ohmstead.api.problems import BadRequest
from ohmstead.billing.payments.ports import Forged, Providers
from ohmstead.billing.payments.webhooks import service
from ohmstead.core.events import NUDGE
from ohmstead.doorway import API_PATH

MOST_BYTES = 512 * 1024
_Request: TypeAlias = Request[Any, Any, State]


@post(
    API_PATH + "v1/payment-webhooks/{provider:str}",
    status_code=200,
    request_max_body_size=MOST_BYTES,
    opt={"shows_own_secret": True},
)
async def take_payment_webhook(
    request: _Request,
    pool: ThePool,
    bus: TheBus,
    provider: FromPath[str],
    providers: NamedDependency[SkipValidation[Providers]],
) -> Response[dict[str, bool]]:
    """Keep what a provider tells; it is processed afterwards. Told again, it is answered alike."""
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        is_new = await service.take(pool, providers, provider, body, headers)
    except Forged as forged:
        raise BadRequest(f"not believed: {forged.text}") from forged
    await bus.publish(NUDGE, {})
    return Response({"is_new": is_new})


HANDLERS = [take_payment_webhook]

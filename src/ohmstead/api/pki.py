"""/pki: revocation lists, OCSP and certificates of our own authority. Public: whoever meets a certificate may ask."""

import base64
import binascii
from typing import Any, TypeAlias
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath

from ohmstead.api.operations import ThePool, TheSettings
from ohmstead.core.errors import NotFound
from ohmstead.stations.certificates import ocsp
from ohmstead.stations.certificates.authority import CRL_PATH, OCSP_PATH, ocsp_answer, revocation_list
from ohmstead.stations.certificates.queries import list_authority_views
from ohmstead.stations.certificates.vault import Vault

_Request: TypeAlias = Request[Any, Any, State]


@get(CRL_PATH + "{name:str}")
async def crl(pool: ThePool, settings: TheSettings, name: FromPath[str]) -> Response[bytes]:
    """The revocation list of an authority, DER."""
    authority_id = _id(name.removesuffix(".crl"))
    async with pool.acquire() as conn, conn.transaction():
        found = await revocation_list(conn, Vault(settings.secret()), authority_id) if authority_id else None
    if found is None:
        raise NotFound("no such authority")
    return Response(found, media_type="application/pkix-crl", headers={"Cache-Control": "public, max-age=300"})


@get("/pki/ca/{name:str}")
async def authority_certificate(pool: ThePool, name: FromPath[str]) -> Response[bytes]:
    """An authority's certificate, PEM."""
    wanted = _id(name.removesuffix(".pem"))
    async with pool.acquire() as conn:
        views = await list_authority_views(conn)
    pem = next((one.certificate_pem for one in views if one.authority_id == wanted), None)
    if pem is None:
        raise NotFound("no such authority")
    return Response(pem.encode(), media_type="application/x-pem-file")


# What it is asked and what it answers is the same for everybody: a forged request gains nothing.
@post(OCSP_PATH, status_code=200, request_max_body_size=ocsp.LONGEST_REQUEST, opt={"shows_own_secret": True})
async def ocsp_post(request: _Request, pool: ThePool, settings: TheSettings) -> Response[bytes]:
    """OCSP by POST (RFC 6960 A.1)."""
    return await _answered(pool, settings, await request.body())


@get(OCSP_PATH + "/{question:path}")
async def ocsp_get(pool: ThePool, settings: TheSettings, question: FromPath[str]) -> Response[bytes]:
    """OCSP by GET: the request as base64 in the address."""
    try:
        der = base64.b64decode(question.lstrip("/"), validate=True)
    except (binascii.Error, ValueError):
        der = b""
    return await _answered(pool, settings, der)


async def _answered(pool: ThePool, settings: TheSettings, der: bytes) -> Response[bytes]:
    async with pool.acquire() as conn:
        answer = await ocsp_answer(conn, Vault(settings.secret()), der)
    return Response(answer, media_type="application/ocsp-response")


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


HANDLERS = [crl, authority_certificate, ocsp_post, ocsp_get]

"""OCPP 2.0.1 and 2.1: Plug & Charge. What has to be asked outside is asked before the batch (`Work.first`)."""

from __future__ import annotations

import base64

from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import certificate_ref
from ohmstead.ocpp.work import Answers, Inbound, Work, instant_text, kept
from ohmstead.stations.certificates.contracts import ContractStatus
from ohmstead.stations.certificates.inquiries import Contract, ContractAnswer, Inquiries, Named
from ohmstead.stations.certificates.ocsp import Verdict
from ohmstead.stations.certificates.ports import EvCertificateAnswer, EvCertificateRequest
from ohmstead.stations.model import Signal
from ohmstead.tokens.emaid import normalised
from ohmstead.tokens.model import Authorization

_CONTRACT_STATUS: dict[ContractStatus, m.AuthorizeCertificateStatusEnumType] = {
    "accepted": "Accepted",
    "signature_error": "SignatureError",
    "expired": "CertificateExpired",
    "revoked": "CertificateRevoked",
    "no_certificate": "NoCertificateAvailable",
    "chain_error": "CertChainError",
    "contract_cancelled": "ContractCancelled",
}
_CERTIFICATE_STATUS: dict[str, m.CertificateStatusEnumType] = {
    "good": "Good",
    "revoked": "Revoked",
    "unknown": "Unknown",
}
_SIGNALLED = frozenset(("signature_error", "revoked", "chain_error"))


def token_uid(token: m.IdTokenType) -> str:
    """A contract id is kept and compared in one form, however it was written."""
    return normalised(token.id_token) if token.type == "eMAID" else token.id_token


def with_contract(message: m.AuthorizeRequest, inbound: Inbound, work: Work) -> Work:
    """An Authorize that shows a contract certificate: it must be good, too (C07)."""
    if message.certificate is None and message.iso15118_certificate_hash_data is None:
        return work
    uid = normalised(message.id_token.id_token)
    shown = Contract(
        party_id=inbound.station.party_id,
        is_contract=lambda name: normalised(name) == uid,
        chain_pem=message.certificate,
        named=tuple(
            Named(certificate=certificate_ref(one), urls=(one.responder_url,))
            for one in message.iso15118_certificate_hash_data or ()
        ),
    )
    found = ContractAnswer(status="no_certificate")
    plain = work.reply
    assert callable(plain)

    async def first(inquiries: Inquiries) -> None:
        nonlocal found
        found = await inquiries.contract(shown)
        if found.status in _SIGNALLED:
            detail = {"status": found.status, "reason": found.reason}
            work.signals = (*work.signals, _signal("contract_refused", inbound, detail))

    def reply(answers: Answers) -> m.AuthorizeResponse:
        response: m.AuthorizeResponse = plain(answers)
        status = _status(found.status, answers.authorization)
        response.certificate_status = _CONTRACT_STATUS[status]
        if found.status != "accepted":
            response.id_token_info = m.IdTokenInfoType(status="Invalid")
        return response

    work.first, work.reply = first, reply
    return work


def _status(status: ContractStatus, authorization: Authorization | None) -> ContractStatus:
    is_cancelled = authorization is not None and authorization.status in ("blocked", "expired")
    return "contract_cancelled" if status == "accepted" and is_cancelled else status


def get_certificate_status(message: m.GetCertificateStatusRequest, inbound: Inbound) -> Work:
    """OCSP on the station's behalf (M06): the responder's answer is passed on as it is, to the car that will judge it."""
    data = message.ocsp_request_data
    asked = Named(certificate=certificate_ref(data), urls=(data.responder_url,))
    verdict = Verdict(state="unreachable")

    async def first(inquiries: Inquiries) -> None:
        nonlocal verdict
        verdict = await inquiries.state(asked, inbound.station.party_id)
        work.signals = _lies([verdict], inbound)

    def reply(_: Answers) -> m.GetCertificateStatusResponse:
        if verdict.response is None:
            info = m.StatusInfoType(reason_code="NoOCSPAnswer", additional_info=verdict.reason[:1024] or None)
            return m.GetCertificateStatusResponse(status="Failed", status_info=info)
        return m.GetCertificateStatusResponse(
            status="Accepted", ocsp_result=base64.b64encode(verdict.response).decode()
        )

    work = Work(records=(kept(inbound),), reply=reply, first=first)
    return work


def get_certificate_chain_status(message: m.GetCertificateChainStatusRequest, inbound: Inbound) -> Work:
    """The same for up to four certificates (2.1 M07), by a responder or by a revocation list as each asks."""
    wanted = message.certificate_status_requests
    verdicts = [Verdict(state="unreachable") for _ in wanted]

    async def first(inquiries: Inquiries) -> None:
        for n, one in enumerate(wanted):
            named, party_id = certificate_ref(one.certificate_hash_data), inbound.station.party_id
            if one.source == "OCSP":
                verdicts[n] = await inquiries.state(Named(certificate=named, urls=tuple(one.urls)), party_id)
            else:
                asked = Named(certificate=named, urls=(), lists=tuple(one.urls))
                verdicts[n] = await inquiries.listed(asked, party_id)
        work.signals = _lies(verdicts, inbound)

    def reply(answers: Answers) -> m.GetCertificateChainStatusResponse:
        return m.GetCertificateChainStatusResponse(
            certificate_status=[
                m.CertificateStatusType(
                    certificate_hash_data=one.certificate_hash_data,
                    source=one.source,
                    status=_CERTIFICATE_STATUS.get(verdict.state, "Failed"),
                    next_update=instant_text(verdict.until or answers.at),
                )
                for one, verdict in zip(wanted, verdicts, strict=True)
            ]
        )

    work = Work(records=(kept(inbound),), reply=reply, first=first)
    return work


def get_15118_ev_certificate(message: m.Get15118EVCertificateRequest, inbound: Inbound) -> Work:
    """A car asks for its contract certificate (M01, M02): passed on to the pool, and its answer back, unread."""
    asked = EvCertificateRequest(
        schema_version=message.iso15118_schema_version,
        action=message.action,
        exi_request=message.exi_request,
        most_chains=message.maximum_contract_certificate_chains,
        emaids=tuple(message.prioritized_emaids or ()),
    )
    found: EvCertificateAnswer | None = None

    async def first(inquiries: Inquiries) -> None:
        nonlocal found
        found = await inquiries.ev_certificate(asked)

    def reply(_: Answers) -> m.Get15118EVCertificateResponse:
        if found is None:
            return m.Get15118EVCertificateResponse(status="Failed", exi_response="")
        # Only who asked for several learns how many are left (2.1).
        remaining = found.remaining_contracts if asked.most_chains is not None else None
        return m.Get15118EVCertificateResponse(
            status="Accepted", exi_response=found.exi_response, remaining_contracts=remaining
        )

    return Work(records=(kept(inbound),), reply=reply, first=first)


def _lies(verdicts: list[Verdict], inbound: Inbound) -> tuple[Signal, ...]:
    return tuple(
        _signal("ocsp_not_believed", inbound, {"reason": verdict.reason})
        for verdict in verdicts
        if verdict.state == "lying"
    )


def _signal(kind: str, inbound: Inbound, detail: dict[str, str]) -> Signal:
    station = inbound.station
    return Signal(
        kind=kind, at=inbound.received_at, party_id=station.party_id, station_id=station.station_id, detail=detail
    )

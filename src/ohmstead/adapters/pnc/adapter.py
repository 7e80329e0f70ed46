"""Contract certificates from a pool over HTTP, JSON in and out; the EXI inside is passed on unread."""

from __future__ import annotations

import msgspec

from ohmstead.adapters import outgoing
from ohmstead.adapters.pnc.settings import PoolSettings
from ohmstead.core.errors import ExternalFailure
from ohmstead.stations.certificates.ports import EvCertificateAnswer, EvCertificateRequest

MOST_BYTES = 64 * 1024
LONGEST_EXI = 17_000


class _Request(msgspec.Struct, rename="camel", omit_defaults=True):
    certificate_installation_req: str
    xsd_msg_def_namespace: str
    action: str
    maximum_contract_certificate_chains: int | None = None
    prioritized_emaids: list[str] = []


class _Embedded(msgspec.Struct, rename="camel"):
    certificate_installation_res: str
    remaining_contracts: int | None = None


class HttpPool:
    """One pool. Implements ports.ContractPool."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings

    async def fetch(self, request: EvCertificateRequest) -> EvCertificateAnswer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._settings.token is not None:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        asked = _Request(
            certificate_installation_req=request.exi_request,
            xsd_msg_def_namespace=request.schema_version,
            action=request.action,
            maximum_contract_certificate_chains=request.most_chains,
            prioritized_emaids=list(request.emaids),
        )
        answer = await outgoing.post(
            self._settings.url,
            msgspec.json.encode(asked),
            headers=headers,
            deadline_s=self._settings.deadline_s,
            most_bytes=MOST_BYTES,
        )
        if answer.status != 200:
            raise ExternalFailure(f"the pool answered {answer.status}", permanent=answer.status < 500)
        try:
            found = msgspec.json.decode(answer.body, type=_Embedded)
        except msgspec.DecodeError as error:
            raise ExternalFailure("the pool's answer makes no sense", permanent=True) from error
        if len(found.certificate_installation_res) > LONGEST_EXI:
            raise ExternalFailure("the pool's answer is longer than OCPP carries", permanent=True)
        return EvCertificateAnswer(
            exi_response=found.certificate_installation_res, remaining_contracts=found.remaining_contracts
        )

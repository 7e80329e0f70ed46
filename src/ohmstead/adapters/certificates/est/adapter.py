"""Certificates from an authority that speaks EST (RFC 7030): simple enrolment over HTTPS. Implements ports.Signer."""

from __future__ import annotations

import base64
import binascii
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from ohmstead.adapters import outgoing
from ohmstead.adapters.certificates.est.settings import EstSettings
from ohmstead.core.errors import ExternalFailure
from ohmstead.stations.certificates.issuing import pem
from ohmstead.stations.certificates.model import Use
from ohmstead.stations.certificates.policy import key_hash, parse
from ohmstead.stations.certificates.ports import Signed

MOST_BYTES = 64 * 1024
_AGAIN = frozenset((202, 408, 425, 429))


class EstSigner:
    """One EST server."""

    def __init__(self, settings: EstSettings) -> None:
        self._settings = settings

    async def sign(self, csr_pem: str, use: Use) -> Signed:
        """202 (an operator there has to approve) and server errors are worth another try, other refusals are not."""
        settings = self._settings
        csr = parse(csr_pem)
        headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
        if settings.user is not None:
            told = base64.b64encode(f"{settings.user}:{settings.password or ''}".encode()).decode()
            headers["Authorization"] = f"Basic {told}"
        tls = ssl.create_default_context(cafile=settings.ca) if settings.url.startswith("https://") else None
        answer = await outgoing.post(
            f"{settings.url}/simpleenroll",
            base64.encodebytes(csr.public_bytes(Encoding.DER)),
            headers=headers,
            deadline_s=settings.deadline_s,
            most_bytes=MOST_BYTES,
            tls=tls,
        )
        if answer.status != 200:
            is_permanent = answer.status < 500 and answer.status not in _AGAIN
            raise ExternalFailure(f"the authority answered {answer.status}", permanent=is_permanent)
        return Signed(chain_pem=pem(*_chain(answer.body, csr)))


def _chain(body: bytes, csr: x509.CertificateSigningRequest) -> list[x509.Certificate]:
    """The certificate of the request's key, then those above it, in order."""
    try:
        found = load_der_pkcs7_certificates(base64.b64decode(body))
        hashes = [key_hash(one) for one in found]
    except (ValueError, binascii.Error) as error:
        raise ExternalFailure("the authority's answer holds no certificates", permanent=True) from error
    wanted = key_hash(csr)
    if wanted not in hashes:
        raise ExternalFailure("the authority certified another key than the station's", permanent=True)
    chain = [found.pop(hashes.index(wanted))]
    while above := next((one for one in found if one.subject == chain[-1].issuer), None):
        found.remove(above)
        if above.subject == above.issuer:
            break  # the root does not travel
        chain.append(above)
    return chain

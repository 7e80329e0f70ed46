"""Files by FTP and FTPS, as old stations carry them: user, password and name are in the address. Blocking calls."""

import contextlib
import ftplib
import io
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit

WITHIN_S = 60.0


class _EncryptedAtOnce(ftplib.FTP_TLS):
    """FTPS as `ftps:` addresses mean it: TLS before the first word, which the library leaves to `AUTH TLS`."""

    def connect(self, host: str = "", port: int = 0, timeout: float = -999, source_address: object = None) -> str:
        self.host, self.port = host, port
        plain = socket.create_connection((host, port), WITHIN_S)
        self.af = plain.family
        self.sock = self.context.wrap_socket(plain, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome


def is_ftp(url: str) -> bool:
    """Is it an address for FTP?"""
    return url.startswith(("ftp://", "ftps://"))


def ftp_fetch(url: str, tls: ssl.SSLContext | None = None) -> bytes:
    """The file at an address. Raises ftplib.Error, OSError, EOFError."""
    parts, out = urlsplit(url), io.BytesIO()
    with _signed_in(parts, tls) as client:
        client.retrbinary(f"RETR {unquote(parts.path).lstrip('/')}", out.write)
    return out.getvalue()


def ftp_send(url: str, name: str, data: bytes, tls: ssl.SSLContext | None = None) -> bool:
    """Send a file into the directory that an address means; True when the other side took it."""
    parts = urlsplit(url)
    try:
        with _signed_in(parts, tls) as client:
            client.storbinary(f"STOR {name}", io.BytesIO(data))
    except (ftplib.Error, OSError, EOFError):
        return False
    return True


@contextlib.contextmanager
def _signed_in(parts: SplitResult, tls: ssl.SSLContext | None) -> Iterator[ftplib.FTP]:
    client: ftplib.FTP
    if parts.scheme == "ftps":
        client = _EncryptedAtOnce(context=tls or ssl.create_default_context(), timeout=WITHIN_S)
    else:
        client = ftplib.FTP(timeout=WITHIN_S)  # noqa: S321  (what old stations speak)
    with client:
        client.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
        client.login(unquote(parts.username or ""), unquote(parts.password or ""))
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        yield client

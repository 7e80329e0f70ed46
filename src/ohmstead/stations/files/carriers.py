"""By which protocol a station fetches or sends a file. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ohmstead.core.errors import Refused
from ohmstead.stations.files.model import Carrier

_PREFERRED: tuple[Carrier, ...] = ("ftps", "ftp")
_NAMES = {"ftp": "OHMSTEAD_FTP_PORT", "ftps": "OHMSTEAD_FTPS_PORT"}


def choose(
    wanted: Carrier | None,
    *,
    quirk: Carrier | None,
    told: str | None,
    offered: Collection[Carrier],
    is_encrypted: bool,
) -> Carrier:
    """What somebody asked for; else what is known of the make; else what the station says that it can.

    `told`: SupportedFileTransferProtocols (1.6) or FileTransferProtocols (2.x), with commas; `is_encrypted`: ours is
    HTTPS. A station that says nothing, or names only what is not offered, is sent to HTTP(S): it may know more than it
    says. Raises Refused for a wish that cannot be met.
    """
    if wanted is not None:
        if wanted not in offered:
            raise Refused(f"there is no {wanted.upper()} here: {_NAMES[wanted]} is not set")
        return wanted
    if quirk is not None and quirk in offered:
        return quirk
    can = {part.strip().upper() for part in (told or "").split(",")}
    if ("HTTPS" if is_encrypted else "HTTP") in can:
        return "http"
    return next((one for one in _PREFERRED if one.upper() in can and one in offered), "http")

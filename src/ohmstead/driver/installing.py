"""What makes the pages an app: the manifest, the service worker, and what is shown without a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get

from ohmstead.core.language import p_
from ohmstead.driver.frame import PageRequest, drawn, for_all
from ohmstead.ui.templating import STATIC_DIR, static_url

KEPT_S = 3600
_KEPT = f"public, max-age={KEPT_S}"


@get("/manifest.webmanifest")
async def manifest(request: PageRequest) -> Response[bytes]:
    """How the app is called and looks on a home screen."""
    told = {
        "id": "/drive",
        "name": p_("page", "Charging"),
        "short_name": p_("page", "Charging"),
        "start_url": "/drive/start",
        "scope": "/drive",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b3a37",
        "icons": [
            {"src": static_url("favicon.svg"), "type": "image/svg+xml", "sizes": "any"},
            {"src": static_url("drive-192.png"), "type": "image/png", "sizes": "192x192"},
            {"src": static_url("drive-512.png"), "type": "image/png", "sizes": "512x512"},
            {
                "src": static_url("drive-512-maskable.png"),
                "type": "image/png",
                "sizes": "512x512",
                "purpose": "maskable",
            },
        ],
    }
    return Response(
        msgspec.json.encode(told),
        media_type="application/manifest+json; charset=utf-8",
        headers={"Cache-Control": _KEPT, "Vary": "Accept-Language, Cookie"},
    )


@get("/sw.js")
async def worker(request: PageRequest) -> Response[bytes]:
    """The service worker: served from here, because it may look after its own folder only."""
    names = ("drive.css", "drive-more.css", "drive.js", "favicon.svg")
    shell = ", ".join(f'"{static_url(name)}"' for name in names)
    text = (STATIC_DIR / "drive-worker.js").read_text().replace("/* SHELL */", shell)
    return Response(
        text.encode(),
        media_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "no-cache", "Service-Worker-Allowed": "/drive"},
    )


@get("/offline")
async def offline(request: PageRequest) -> Response[Any]:
    """What an installed app shows where there is no connection. It is kept, so nothing in it is anybody's."""
    request.scope["state"].pop("driver", None)
    request.scope["state"].pop("view", None)
    return drawn(request, "offline.html", headers=for_all(request, KEPT_S))


HANDLERS: Sequence[Any] = [manifest, worker, offline]

"""Every page of the console, on one screen."""

from __future__ import annotations

from litestar import Router

from ohmstead.console import live, overview
from ohmstead.ui.templating import template_config

__all__ = ["router", "template_config"]

router = Router(
    path="/",
    route_handlers=[
        overview.overview,
        overview.overview_part,
        overview.waiting,
        overview.attention,
        live.live,
    ],
)

"""Structured logs. Secrets are redacted by key name before a line is written, whatever its source."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_KEY = re.compile(
    r"pass(word)?|secret|authorization|token$|api_?key|cookie|private|credential|pin$", re.IGNORECASE
)
_URL_USER = re.compile(r"(?<=://)([^/\s:@]+):([^/\s@]+)@")
REDACTED = "•••"


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: hides values of secret-sounding keys and passwords inside URLs, nested ones too."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def _redacted(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, bool | int):
        return REDACTED
    if isinstance(value, str):
        return _URL_USER.sub(rf"\1:{REDACTED}@", value) if "://" in value else value
    if isinstance(value, dict):
        return {k: _redacted(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", v) for v in value]
    return value


# Before setup() ran, and in tools that never call it: the library's own default prints local variables with a
# traceback, secrets among them.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ],
)


def setup(level: str = "info", form: str = "console", role: str = "") -> None:
    """Configure structlog and the standard library's loggers to one stream (standard error)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(level.upper())
    # A traceback for every malformed HTTP request would let strangers write our log.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    if role:
        structlog.contextvars.bind_contextvars(role=role)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A named logger: `log.info("station_connected", station_id=…)`; the event is a short snake_case fact."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound

"""A typed client of Ohmstead's REST API."""

from ohmstead_client import models
from ohmstead_client.async_client import AsyncClient
from ohmstead_client.catalogue import OPERATIONS
from ohmstead_client.client import Client
from ohmstead_client.errors import ApiError, ClientError, ConnectionFailed, UnreadableAnswer
from ohmstead_client.events import LiveEvent
from ohmstead_client.operations import Operation, Parameter
from ohmstead_client.problems import (
    BadRequest,
    Conflict,
    ExternalFailure,
    Internal,
    Invalid,
    MethodNotAllowed,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refused,
    Stale,
    StationError,
    StationOffline,
    StationTimeout,
    TooLarge,
    TooManyAttempts,
    Unavailable,
    UnsupportedMediaType,
)

__all__ = [
    "OPERATIONS",
    "ApiError",
    "AsyncClient",
    "BadRequest",
    "Client",
    "ClientError",
    "Conflict",
    "ConnectionFailed",
    "ExternalFailure",
    "Internal",
    "Invalid",
    "LiveEvent",
    "MethodNotAllowed",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "Operation",
    "Parameter",
    "Refused",
    "Stale",
    "StationError",
    "StationOffline",
    "StationTimeout",
    "TooLarge",
    "TooManyAttempts",
    "Unavailable",
    "UnreadableAnswer",
    "UnsupportedMediaType",
    "models",
]

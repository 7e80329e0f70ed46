"""Firmware images, rollouts, and the jobs in which stations fetch and send files."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

Signers: TypeAlias = Literal["warn", "refuse"]
JobKind: TypeAlias = Literal["firmware", "publish", "log"]
LogKind: TypeAlias = Literal["diagnostics", "security", "data_collector"]
Carrier: TypeAlias = Literal["http", "ftp", "ftps"]
JobStatus: TypeAlias = Literal[
    "ordered",
    "scheduled",
    "downloading",
    "downloaded",
    "verified",
    "installing",
    "rebooting",
    "reported",
    "installed",
    "old_version",
    "published",
    "unpublished",
    "uploading",
    "received",
    "done",
    "failed",
    "superseded",
]
RolloutStatus: TypeAlias = Literal["running", "paused", "halted", "finished", "cancelled"]
PlaceStatus: TypeAlias = Literal["waiting", "ordering", "running", "installed", "failed", "skipped"]
WantedCarrier: TypeAlias = Annotated[
    Carrier, Meta(description="`http` is HTTPS where we have it. Left out: as the station, or its make, can.")
]
Pattern: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="With `*` and `?`; letters' case does not matter.")
]


class Image(msgspec.Struct, kw_only=True):
    """Firmware for some kind of station. It has no content until it was uploaded and checked: `stored_at`.

    `vouched_by`: the manufacturer's root that its signing certificate leads to; `doubt`: why there is none.
    """

    image_id: UUID
    party_id: UUID
    name: str
    vendor: str
    model: str
    from_version: str
    version: str
    notes: str
    signing_certificate: str | None
    signature: str | None
    signing_chain: str | None = None
    vouched_by: str | None = None
    doubt: str | None = None
    sha256: str | None
    md5: str | None
    size_bytes: int | None
    created_at: datetime
    created_by: str
    stored_at: datetime | None
    retired_at: datetime | None

    @property
    def is_signed(self) -> bool:
        return self.signature is not None and self.signing_certificate is not None


class NewImage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Firmware to be; its content is uploaded afterwards, and must fit what is said here."""

    name: Annotated[str, Meta(min_length=1, max_length=120, description="As the file is called.")]
    version: Annotated[str, Meta(min_length=1, max_length=50, description="What a station reports once it runs this.")]
    vendor: Pattern = "*"
    model: Pattern = "*"
    from_version: Annotated[
        str, Meta(min_length=1, max_length=100, description="Versions that it may replace, with `*` and `?`.")
    ] = "*"
    notes: Annotated[str, Meta(max_length=5000, description="What operators should know before they roll it out.")] = ""
    sha256: (
        Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}$", description="As the manufacturer publishes it.")] | None
    ) = None
    signing_certificate: Annotated[str, Meta(max_length=5500, description="The manufacturer's, PEM.")] | None = None
    signature: Annotated[str, Meta(max_length=800, description="Over the file's SHA-256, base64.")] | None = None
    signing_chain: (
        Annotated[
            str, Meta(max_length=20_000, description="Certificates between that and the manufacturer's root, PEM.")
        ]
        | None
    ) = None


class FileJob(msgspec.Struct, kw_only=True):
    """One fetching or sending of a file by a station, from the order to its end."""

    job_id: UUID
    party_id: UUID
    station_id: str
    kind: JobKind
    log_kind: LogKind | None
    request_id: int
    status: JobStatus
    detail: str | None
    image_id: UUID | None
    rollout_id: UUID | None
    location: str | None
    name: str
    version: str | None
    version_before: str | None
    offered_under: list[str] | None
    since: datetime | None
    until: datetime | None
    fetched_at: datetime | None
    sha256: str | None
    size_bytes: int | None
    received_at: datetime | None
    unpacked_at: datetime | None
    unpack_note: str | None
    command_id: UUID | None
    requested_by: str
    requested_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class Member(msgspec.Struct, kw_only=True):
    """A file that was in a log. Without `sha256` it could not be unpacked, and `note` says why."""

    position: int
    path: str
    size_bytes: int
    is_text: bool
    sha256: str | None = None
    note: str | None = None


class FileReport(msgspec.Struct, kw_only=True):
    """A station says how far it is with a file. `word` is OCPP's, in our spelling.

    `offered_under`: addresses at which a local controller offers what it published (2.x L03.FR.05).
    """

    station_id: str
    kind: JobKind
    word: str
    at: datetime
    request_id: int | None = None
    text: str | None = None
    offered_under: list[str] | None = None


class LogRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A log that a station is to send."""

    log: LogKind = "diagnostics"
    since: Annotated[datetime, Meta(tz=True, description="Nothing older.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Nothing newer.")] | None = None
    retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    retry_after_s: Annotated[int, Meta(ge=0, le=86400)] | None = None
    carrier: WantedCarrier | None = None


class FirmwareRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Firmware that a station is to install: an image of ours, or a foreign address among the allowed hosts."""

    image_id: UUID | None = None
    location: Annotated[str, Meta(min_length=8, max_length=512)] | None = None
    version: (
        Annotated[str, Meta(min_length=1, max_length=50, description="With `location`: what the station reports then.")]
        | None
    ) = None
    retrieve_at: Annotated[datetime, Meta(tz=True, description="Not before.")] | None = None
    install_at: Annotated[datetime, Meta(tz=True, description="Not before.")] | None = None
    retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    retry_after_s: Annotated[int, Meta(ge=0, le=86400)] | None = None
    carrier: WantedCarrier | None = None
    is_published: Annotated[
        bool, Meta(description="To a local controller, which offers it to the stations behind it (2.x).")
    ] = False
    is_forced: Annotated[bool, Meta(description="Even if the image is not meant for such a station.")] = False


class Filter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which stations. What is left out does not narrow it; the image's own patterns always do."""

    station_ids: Annotated[list[str], Meta(max_length=5000)] | None = None
    location_id: UUID | None = None
    vendor: Pattern = "*"
    model: Pattern = "*"
    from_version: Pattern = "*"


class NewRollout(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Bring many stations to an image: in waves, a few at once, and no further when too many fail."""

    image_id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    stations: Filter = msgspec.field(default_factory=Filter)
    waves: Annotated[
        list[Annotated[int, Meta(ge=1, le=100)]],
        Meta(
            min_length=1,
            max_length=10,
            description="Percent of the stations, rising; the next wave begins when one is done.",
        ),
    ] = msgspec.field(default_factory=lambda: [100])
    at_once: Annotated[int, Meta(ge=1, le=1000, description="Stations that are busy with it at one time.")] = 10
    failure_limit_percent: Annotated[
        int, Meta(ge=0, le=100, description="It halts when more of the stations of the open waves have failed.")
    ] = 20
    most_tries: Annotated[int, Meta(ge=1, le=20)] = 3
    retry_after_s: Annotated[int, Meta(ge=1, le=604_800, description="Doubled with every try.")] = 900
    give_up_after_s: Annotated[
        int, Meta(ge=10, le=604_800, description="A try that has not ended by then has failed.")
    ] = 7200
    only_idle: Annotated[bool, Meta(description="Only stations at which nothing charges.")] = True
    window_from: Annotated[time, Meta(tz=False, description="Stations are told between these times of day.")] | None = (
        None
    )
    window_to: Annotated[time, Meta(tz=False)] | None = None
    time_zone: (
        Annotated[str, Meta(max_length=64, description="Of the times of day; the party's unless said.")] | None
    ) = None


class Rollout(msgspec.Struct, kw_only=True):
    """A rollout and how far it is: stations by status."""

    rollout_id: UUID
    party_id: UUID
    image_id: UUID
    name: str
    status: RolloutStatus
    waves: list[int]
    wave: int
    at_once: int
    failure_limit_percent: int
    most_tries: int
    retry_after_s: int
    give_up_after_s: int
    only_idle: bool
    window_from: time | None
    window_to: time | None
    time_zone: str
    halted_because: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime


class Place(msgspec.Struct, kw_only=True):
    """A station in a rollout, with what is known of it now."""

    station_id: str
    wave: int
    status: PlaceStatus
    tries: int = 0
    next_try_at: datetime | None = None
    job_id: UUID | None = None
    detail: str | None = None
    updated_at: datetime
    job_status: JobStatus | None = None
    firmware_version: str | None = None
    is_online: bool = True
    is_charging: bool = False

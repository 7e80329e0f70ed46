"""What happens to configuration templates, firmware and logs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ohmstead.facts.kinds import OPERATOR, STATION, By, Id, StationId, fact

_TEMPLATE = {"template_id": "019a9d72-4400-7e33-9c22-4d5e6f708192", "name": "Quiet nights", "by": OPERATOR}
_ROLLOUT = {"rollout_id": "019a9d73-5500-7f44-8d33-5e6f708192a3", "name": "Quay 150 to 3.2.0"}


class TemplateFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which template, and who did it."""

    template_id: Id
    by: By
    name: Annotated[str | None, Meta(description="Its name; null where it was not set.")]


@fact("Setting stations up", "template/<id>", **_TEMPLATE)
class TemplateCreated(TemplateFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration template was created."""


@fact("Setting stations up", "template/<id>", **_TEMPLATE)
class TemplateChanged(TemplateFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration template was changed."""


@fact("Setting stations up", "template/<id>", **_TEMPLATE)
class TemplateDeleted(TemplateFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration template was deleted. What it set stays set."""


@fact(
    "Firmware and logs",
    "station/<id>",
    station_id=STATION,
    job_id="019a9d74-6600-7055-8e44-6f708192a3b4",
    job_kind="firmware",
    status="installed",
    rollout_id=None,
)
class FileJobChanged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A station got further with a file: firmware it installs, a log it sends."""

    station_id: StationId
    job_id: Id
    job_kind: Literal["firmware", "publish", "log"]
    status: Annotated[str, Meta(description="As `GET /stations/{id}/firmware` and `GET /logs` have it.")]
    rollout_id: Annotated[str | None, Meta(description="The rollout it is part of.")]


class RolloutFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rollout as it is now."""

    rollout_id: Id
    name: str
    status: Literal["running", "paused", "halted", "finished", "cancelled"]


@fact("Firmware and logs", "rollout/<id>", **_ROLLOUT, status="running")
class RolloutMoved(RolloutFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rollout got further."""


@fact("Firmware and logs", "rollout/<id>", **_ROLLOUT, status="halted")
class RolloutHalted(RolloutFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rollout halted by itself: too many stations failed. A person is needed."""


@fact("Firmware and logs", "rollout/<id>", **_ROLLOUT, status="finished")
class RolloutFinished(RolloutFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rollout is through."""

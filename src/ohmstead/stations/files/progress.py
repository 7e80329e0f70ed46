"""How far a station is with a file, from what it says and from what it is seen to run. Pure."""

from __future__ import annotations

from typing import Final

from ohmstead.stations.files.model import JobKind, JobStatus
from ohmstead.stations.files.names import is_version

# What stations say (1.6 §7.25 and security whitepaper §5, 2.x FirmwareStatusEnumType …), in our words.
_FIRMWARE: Final[dict[str, JobStatus]] = {
    "download_scheduled": "scheduled",
    "downloading": "downloading",
    "download_paused": "downloading",
    "downloaded": "downloaded",
    "signature_verified": "verified",
    "install_scheduled": "verified",
    "installing": "installing",
    "install_rebooting": "rebooting",
    "installed": "reported",
    "download_failed": "failed",
    "installation_failed": "failed",
    "install_verification_failed": "failed",
    "invalid_signature": "failed",
}
_PUBLISH: Final[dict[str, JobStatus]] = {
    "download_scheduled": "scheduled",
    "downloading": "downloading",
    "download_paused": "downloading",
    "downloaded": "downloaded",
    "checksum_verified": "verified",
    "published": "published",
    "download_failed": "failed",
    "invalid_checksum": "failed",
    "publish_failed": "failed",
}
_LOG: Final[dict[str, JobStatus]] = {
    "uploading": "uploading",
    "uploaded": "done",
    "bad_message": "failed",
    "not_supported_operation": "failed",
    "permission_denied": "failed",
    "upload_failure": "failed",
    "upload_failed": "failed",
    "accepted_canceled": "superseded",
}
_WORDS: Final = {"firmware": _FIRMWARE, "publish": _PUBLISH, "log": _LOG}

OPEN: Final[frozenset[JobStatus]] = frozenset(
    (
        *("ordered", "scheduled", "downloading", "downloaded", "verified", "installing", "rebooting", "reported"),
        *("uploading", "received"),
    )
)
_MAY_HAVE_REBOOTED: Final = frozenset(("installing", "rebooting", "reported", "installed"))


def after_report(kind: JobKind, status: JobStatus, word: str, *, has_file: bool = False) -> JobStatus:
    """What a job is once its station has said `word`.

    Reports of one station come in order; what comes twice changes nothing. That firmware is installed counts only when
    the station also says that it runs it (`after_boot`): until then it is `reported`. A log is `done` when the station
    says so and the file is here.
    """
    told = _WORDS[kind].get(word)
    if told is None or status in ("installed", "superseded", "unpublished"):
        return status
    if kind == "log" and status == "done":
        return status
    if status == "old_version" and told in ("reported", "rebooting"):
        return status
    if kind == "log" and told == "done" and not has_file:
        return "uploading"
    if kind == "log" and told == "uploading" and has_file:
        return "received"
    return told


def after_upload(status: JobStatus, *, is_said_done: bool) -> JobStatus:
    """What a log job is once its file is here."""
    return "done" if is_said_done or status == "done" else "received"


def after_boot(status: JobStatus, wanted: str | None, told: str | None, before: str | None) -> JobStatus:
    """What a firmware job is once its station has booted and told its version.

    The version alone decides. A station that was about to change and comes back as it was, or falls back to the version
    it came from, has the `old_version`.
    """
    if wanted is None or told is None or status == "superseded":
        return status
    if is_version(told, wanted):
        return "installed"
    if status == "installed" and not is_version(told, before):
        return status  # somebody else has changed it since
    return "old_version" if status in _MAY_HAVE_REBOOTED else status


def is_over(status: JobStatus) -> bool:
    """Does nobody wait for anything any more?"""
    return status not in OPEN

"""Examples of what goes over the wire about firmware and logs, by type."""

from typing import Any

from ohmstead.api.files import LogLines
from ohmstead.stations.files.model import FileJob, FirmwareRequest, Image, LogRequest, NewImage, NewRollout
from ohmstead.stations.files.queries import LogView, RolloutDetail, RolloutView

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_IMAGE_ID = "019a9d70-1c40-7d02-9b7a-1d1b2c3d4e01"
_ROLLOUT_ID = "019a9d70-2c40-7d02-9b7a-1d1b2c3d4e02"
_JOB_ID = "019a9d70-3c40-7d02-9b7a-1d1b2c3d4e03"
_COMMAND_ID = "019a9d63-90c8-7e21-8d44-7c8d9e0f1a2b"
_WHO = "operator:019a9d5e-7b10-7000-8000-000000000001"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_NEW_IMAGE: dict[str, Any] = {
    "name": "ep150-2.0.1.bin",
    "version": "2.0.1",
    "vendor": "Example Power",
    "model": "EP-1*",
    "from_version": "1.*",
    "notes": "Mends the clock after a power cut. Takes ten minutes.",
    "sha256": _SHA256,
    "signing_certificate": None,
    "signature": None,
    "signing_chain": None,
}
_IMAGE: dict[str, Any] = {
    "image_id": _IMAGE_ID,
    "party_id": _PARTY,
    **_NEW_IMAGE,
    "vouched_by": None,
    "doubt": "it is not signed",
    "md5": "098f6bcd4621d373cade4e832627b4f6",
    "size_bytes": 48_234_496,
    "created_at": "2026-03-02T08:00:00Z",
    "created_by": _WHO,
    "stored_at": "2026-03-02T08:00:41Z",
    "retired_at": None,
}
_JOB: dict[str, Any] = {
    "job_id": _JOB_ID,
    "party_id": _PARTY,
    "station_id": "HARBOUR-01",
    "kind": "log",
    "log_kind": "diagnostics",
    "request_id": 17,
    "status": "done",
    "detail": None,
    "image_id": None,
    "rollout_id": None,
    "location": None,
    "name": "diagnostics-20260302.tar.gz",
    "version": None,
    "version_before": None,
    "offered_under": None,
    "since": "2026-03-01T00:00:00Z",
    "until": None,
    "fetched_at": None,
    "sha256": _SHA256,
    "size_bytes": 91_022,
    "received_at": "2026-03-02T09:00:20Z",
    "unpacked_at": "2026-03-02T09:00:21Z",
    "unpack_note": None,
    "command_id": _COMMAND_ID,
    "requested_by": _WHO,
    "requested_at": "2026-03-02T09:00:00Z",
    "updated_at": "2026-03-02T09:00:21Z",
    "finished_at": "2026-03-02T09:00:21Z",
}
_ROLLOUT: dict[str, Any] = {
    "rollout_id": _ROLLOUT_ID,
    "party_id": _PARTY,
    "image_id": _IMAGE_ID,
    "name": "March firmware",
    "status": "running",
    "waves": [5, 100],
    "wave": 1,
    "at_once": 10,
    "failure_limit_percent": 20,
    "most_tries": 3,
    "retry_after_s": 900,
    "give_up_after_s": 7200,
    "only_idle": True,
    "window_from": "22:00:00",
    "window_to": "05:00:00",
    "time_zone": "Europe/Amsterdam",
    "halted_because": None,
    "created_at": "2026-03-02T20:00:00Z",
    "created_by": _WHO,
    "updated_at": "2026-03-02T21:40:00Z",
    "version": "2.0.1",
    "counts": {"installed": 12, "running": 10, "waiting": 118},
}

FILE_EXAMPLES: dict[Any, Any] = {
    NewImage: _NEW_IMAGE,
    Image: _IMAGE,
    FirmwareRequest: {"image_id": _IMAGE_ID, "install_at": "2026-03-03T02:00:00Z"},
    LogRequest: {"log": "diagnostics", "since": "2026-03-01T00:00:00Z"},
    FileJob: _JOB,
    LogView: {
        **_JOB,
        "members": [
            {
                "position": 0,
                "path": "diagnostics-20260302.tar/var/log/ocpp.log",
                "size_bytes": 700_123,
                "is_text": True,
                "sha256": _SHA256,
                "note": None,
            }
        ],
    },
    LogLines: {"items": [{"number": 1, "text": "2026-03-02T08:05:12Z boot, reason PowerUp"}], "next_cursor": "43-2"},
    NewRollout: {
        "image_id": _IMAGE_ID,
        "name": "March firmware",
        "stations": {"location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"},
        "waves": [5, 100],
        "window_from": "22:00:00",
        "window_to": "05:00:00",
    },
    RolloutView: _ROLLOUT,
    RolloutDetail: {
        **_ROLLOUT,
        "stations": [
            {
                "station_id": "HARBOUR-01",
                "wave": 0,
                "status": "installed",
                "tries": 1,
                "next_try_at": None,
                "job_id": _JOB_ID,
                "detail": None,
                "updated_at": "2026-03-02T21:20:00Z",
                "job_status": "installed",
                "firmware_version": "2.0.1",
                "is_online": True,
                "is_charging": False,
            }
        ],
    },
}

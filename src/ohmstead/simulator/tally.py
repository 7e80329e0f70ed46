"""What a run has done so far, in numbers."""

from bisect import bisect_left
from collections import Counter
from typing import Any

_BOUNDS_MS = [round(1.25**n, 3) for n in range(-4, 46)]


class Latency:
    """Answer times in classes of 25 %."""

    __slots__ = ("_classes", "count", "worst_ms")

    def __init__(self) -> None:
        self._classes = [0] * (len(_BOUNDS_MS) + 1)
        self.count = 0
        self.worst_ms = 0.0

    def add(self, seconds: float) -> None:
        """One answer took this long."""
        ms = seconds * 1000
        self._classes[bisect_left(_BOUNDS_MS, ms)] += 1
        self.count += 1
        self.worst_ms = max(self.worst_ms, ms)

    def percentile_ms(self, share: float) -> float:
        """At most this many milliseconds for `share` (0…1) of the answers; 0 without any."""
        remaining = share * self.count
        for bound, count in zip(_BOUNDS_MS, self._classes, strict=False):
            remaining -= count
            if remaining <= 0:
                return min(bound, self.worst_ms)
        return self.worst_ms


class Tally:
    """Counters of one run. Stations write them, the progress line and the summary read them."""

    def __init__(self) -> None:
        self.stations = 0
        self.connected = 0
        self.accepted = 0
        self.charging = 0
        self.power_w = 0.0
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.problems: list[str] = []
        self.latency = Latency()
        self.sessions_started = 0
        self.sessions_ended = 0
        self.energy_mwh = 0
        self.connects = 0
        self.n_answered = 0

    @property
    def n_messages(self) -> int:
        """Frames that stations sent as CALL or SEND and that were answered, plus the CALLs they answered."""
        return self.n_answered + self.received.total()

    def error(self, kind: str, text: str = "") -> None:
        """Count something that went wrong; the first texts of each kind are kept for the summary."""
        self.errors[kind] += 1
        if text and self.errors[kind] <= 3:
            self.problems.append(f"{kind}: {text}"[:300])

    def summary(self) -> dict[str, Any]:
        """Everything, for `--json`."""
        return {
            "stations": self.stations,
            "connected": self.connected,
            "accepted": self.accepted,
            "connects": self.connects,
            "sessions_started": self.sessions_started,
            "sessions_ended": self.sessions_ended,
            "energy_wh": self.energy_mwh // 1000,
            "messages": self.n_messages,
            "sent": dict(sorted(self.sent.items())),
            "received": dict(sorted(self.received.items())),
            "errors": dict(sorted(self.errors.items())),
            "problems": self.problems,
            "latency_ms": {
                "p50": round(self.latency.percentile_ms(0.5), 2),
                "p95": round(self.latency.percentile_ms(0.95), 2),
                "p99": round(self.latency.percentile_ms(0.99), 2),
                "worst": round(self.latency.worst_ms, 2),
            },
        }

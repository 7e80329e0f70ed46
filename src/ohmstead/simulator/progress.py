"""What a run shows while it goes on: one line in a terminal, a line now and then elsewhere; a table at the end."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ohmstead.simulator.tally import Tally

_QUIET_EVERY_S = 60.0


class ProgressLine:
    """The line. In a terminal it is redrawn in place, elsewhere printed once a minute; `is_quiet` shows nothing."""

    def __init__(
        self,
        console: Console,
        tally: Tally,
        *,
        is_quiet: bool = False,
        past: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        """`past`: how many past sessions have been replayed, of how many."""
        self._console = console
        self._tally = tally
        self._is_quiet = is_quiet
        self._past = past
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._last = (time.monotonic(), 0)
        self._printed_at = time.monotonic()
        self._rate = 0.0

    def __enter__(self) -> "ProgressLine":
        if self._live is not None and not self._is_quiet:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None and not self._is_quiet:
            self._live.stop()

    def tick(self) -> None:
        """Look at the tally again."""
        if self._is_quiet:
            return
        now, count = time.monotonic(), self._tally.n_messages
        before, counted = self._last
        if now - before >= 1.0:
            self._rate = (count - counted) / (now - before)
            self._last = (now, count)
        if self._live is not None:
            self._live.update(self._text())
        elif now - self._printed_at >= _QUIET_EVERY_S:
            self._printed_at = now
            self._console.print(self._text(), highlight=False, soft_wrap=True)

    def _text(self) -> Text:
        tally = self._tally
        errors = tally.errors.total()
        text = Text()
        done, total = self._past()
        if done < total:
            text.append(f"Replaying the past: {done:,}/{total:,} sessions ({100 * done // total} %) · ", "cyan")
        text.append(f"{tally.accepted}/{tally.stations}", "bold")
        text.append(" stations online · ")
        text.append(f"{tally.charging}", "bold")
        text.append(" charging · ")
        text.append(f"{max(0.0, tally.power_w) / 1000:,.0f} kW", "bold")
        text.append(f" · {self._rate:,.0f} messages/s · {tally.sessions_ended:,} sessions ended · ")
        text.append(f"{errors:,} errors", "red" if errors else "dim")
        return text


def show_summary(console: Console, tally: Tally, took_s: float) -> None:
    """The table at the end."""
    table = Table(title="Summary", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    rows = (
        ("Stations", f"{tally.stations:,}"),
        ("Connections made", f"{tally.connects:,}"),
        ("Sessions begun / ended", f"{tally.sessions_started:,} / {tally.sessions_ended:,}"),
        ("Energy", f"{tally.energy_mwh / 1e6:,.3f} kWh"),
        ("Messages", f"{tally.n_messages:,} ({tally.n_messages / max(took_s, 0.001):,.0f}/s)"),
        ("Commands answered", f"{tally.received.total():,}"),
        (
            "Answer time p50 / p99",
            f"{tally.latency.percentile_ms(0.5):.1f} / {tally.latency.percentile_ms(0.99):.1f} ms",
        ),
        ("Time", f"{took_s:,.1f} s"),
    )
    for name, value in rows:
        table.add_row(name, value)
    for kind, count in sorted(tally.errors.items()):
        table.add_row(Text(kind.replace("_", " "), "red"), f"{count:,}")
    console.print(table)
    for problem in tally.problems[:12]:
        console.print(Text(f"  {problem}", "dim"))

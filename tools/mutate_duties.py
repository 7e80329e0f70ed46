"""Can the certification cases fail? `python tools/mutate_duties.py [word …]` takes one duty after the other away and
looks whether the tests of its cases turn red.

It works on a copy of the tree with servers of its own, a few seconds for each duty; words choose duties by their names
or cases. It ends with 1 when a case stayed green, or when a text to replace is not in its module (any more).
"""
# ruff: noqa: E402 (the path comes before the imports that need it)

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests import environment
from tests.architecture.house import tracked_files
from tools import duties, ocpp_table

from ohmstead import embedded

AT_MOST_S = 120.0  # one duty
BUDGET_S = 3600.0  # all of them
NOT_RUN = "no time was left for it"


@dataclass(frozen=True)
class Verdict:
    """What became of a duty's cases. `trouble`: why nothing can be said."""

    duty: duties.Duty
    green: tuple[str, ...] = ()
    trouble: str | None = None

    @property
    def is_good(self) -> bool:
        return not self.green and self.trouble is None


def tests_of(cases: Sequence[str]) -> dict[str, list[str]]:
    """Case → its tests, as pytest names them."""
    return {case: [f"{test.path}::{test.name}" for test in ocpp_table.tests_of_case(case)] for case in cases}


@contextmanager
def removed(tree: Path, duty: duties.Duty, moment: int) -> Iterator[None]:
    """The tree without the duty. `moment` dates the file, so that no compiled module is taken for it."""
    path = tree / "src" / "ohmstead" / duty.module
    before = path.read_text()
    path.write_text(before.replace(duty.text, duty.instead))
    os.utime(path, (moment, moment))
    try:
        yield
    finally:
        path.write_text(before)
        os.utime(path, (moment + 1, moment + 1))


def run(tree: Path, nodes: Sequence[str], urls: dict[str, str], at_most_s: float) -> tuple[int, str]:
    """Run tests in a tree; pytest's code and words."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", *sorted(set(nodes))]
    try:
        ran = subprocess.run(
            command, cwd=tree, env=os.environ | urls, capture_output=True, text=True, timeout=at_most_s, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, "\n".join(f"FAILED {node} timed out" for node in nodes)
    return ran.returncode, ran.stdout


def red(told: str) -> set[str]:
    """Tests that failed, without their parameters."""
    found = re.findall(r"^(?:FAILED|ERROR) (\S+?::\w+)", told, re.MULTILINE)
    return set(found)


def judge(tree: Path, duty: duties.Duty, urls: dict[str, str], moment: int, at_most_s: float) -> Verdict:
    """Take one duty away."""
    n = (tree / "src" / "ohmstead" / duty.module).read_text().count(duty.text)
    if n != 1:
        return Verdict(duty, trouble=f"{duty.module} has the text {n} times")
    wanted = tests_of(duty.cases)
    if nameless := [case for case, nodes in wanted.items() if not nodes]:
        return Verdict(duty, trouble=f"no test for {', '.join(nameless)}")
    with removed(tree, duty, moment):
        code, told = run(tree, [node for nodes in wanted.values() for node in nodes], urls, at_most_s)
    if code not in (0, 1):
        return Verdict(duty, trouble=f"pytest ended with {code}: {told.strip().splitlines()[-1:]}")
    failed = red(told)
    return Verdict(duty, green=tuple(case for case, nodes in wanted.items() if not failed & set(nodes)))


async def main(words: Sequence[str]) -> int:
    """All duties, or those that the words choose."""
    chosen = [
        duty
        for duty in duties.DUTIES
        if not words or any(word in duty.name or word.upper() in duty.cases for word in words)
    ]
    settings = environment.server_settings()
    servers = await embedded.start(settings, durable=False)
    urls = {
        "OHMSTEAD_TEST_DATABASE_URL": servers.database_url,
        "OHMSTEAD_TEST_NATS_URL": servers.nats_url,
        "PYTHONPATH": f"src{os.pathsep}.",
    }
    began, verdicts = time.monotonic(), []
    try:
        with tempfile.TemporaryDirectory(prefix="ohmstead-duties-") as copy:
            tree = Path(copy)
            for path in tracked_files(ROOT):
                (tree / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, tree / path.relative_to(ROOT))
            for n, duty in enumerate(chosen):
                left_s = BUDGET_S - (time.monotonic() - began)
                moment = int(time.time()) - 10_000_000 + 2 * n
                verdict = (
                    await asyncio.to_thread(judge, tree, duty, urls, moment, min(AT_MOST_S, left_s))
                    if left_s > 0
                    else Verdict(duty, trouble=NOT_RUN)
                )
                verdicts.append(verdict)
                told = verdict.trouble or (f"GREEN: {', '.join(verdict.green)}" if verdict.green else "red")
                sys.stdout.write(f"{duty.name} ({', '.join(duty.cases)}): {told}\n")
                sys.stdout.flush()
    finally:
        await servers.stop()
        await asyncio.to_thread(shutil.rmtree, settings.data_dir, ignore_errors=True)
    bad = [verdict for verdict in verdicts if not verdict.is_good]
    sys.stdout.write(f"{len(verdicts) - len(bad)} of {len(verdicts)} duties are held by their tests\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))

"""The `ohmstead` script: what a stranger runs first. No network: packages come from a folder of the test's own."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.house import ROOT

pytestmark = pytest.mark.slow

MAIN = """
import os, sys
print("arguments", sys.argv[1:])
print("in", os.getcwd())
try:
    import ohmtest
    print("package", ohmtest.VERSION)
except ImportError:
    print("no package")
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def make_checkout(path: Path) -> Path:
    """A checkout of the script with a program of three lines, and nothing to install."""
    (path / "src" / "ohmstead").mkdir(parents=True)
    (path / "src" / "ohmstead" / "__main__.py").write_text(MAIN)
    (path / "tools").mkdir()
    shutil.copy2(ROOT / "ohmstead", path / "ohmstead")
    shutil.copy2(ROOT / "tools" / "bootstrap.py", path / "tools" / "bootstrap.py")
    for name in ("requirements.lock", "requirements-test.lock"):
        (path / name).write_text("")
    return path


def make_wheel(folder: Path, version: str) -> str:
    """A wheel of one module in `folder`; returns its line in a lock file."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"ohmtest-{version}-py3-none-any.whl"
    about = f"ohmtest-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ohmtest.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: ohmtest\nVersion: {version}\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"ohmtest=={version} \\\n    --hash=sha256:{digest}\n"


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"OHMSTEAD_PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_RETRIES": "0"} | more


def start(script: Path, *arguments: str, cwd: Path = Path("/"), **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(script), *arguments], cwd=cwd, env=environment(**more), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was started before, under a path with a space."""
    path = make_checkout(tmp_path_factory.mktemp("a place") / "the checkout")
    first = start(path / "ohmstead", "--help")
    assert first.returncode == 0, first.stderr
    assert "Making a Python environment" in first.stderr
    return path


def test_arguments_and_the_working_directory_arrive_unchanged(checkout: Path, tmp_path: Path) -> None:
    done = start(checkout / "ohmstead", "up", "--port", "80 80", "*", "", cwd=tmp_path)
    assert done.stdout.splitlines()[:2] == ["arguments ['up', '--port', '80 80', '*', '']", f"in {tmp_path}"]


def test_a_second_start_installs_nothing(checkout: Path) -> None:
    assert start(checkout / "ohmstead").stderr == ""


def test_it_runs_through_a_link(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "first").symlink_to(checkout / "ohmstead")
    (tmp_path / "second").symlink_to("first")
    done = start(tmp_path / "second", "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert "arguments ['x']" in done.stdout


def test_it_runs_when_given_to_a_plain_shell(checkout: Path) -> None:
    done = subprocess.run(
        ["sh", "ohmstead", "x"], cwd=checkout, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "arguments ['x']" in done.stdout


def test_a_file_in_the_working_directory_shadows_no_module(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "ohmstead.py").write_text("raise SystemExit(9)")
    (tmp_path / "os.py").write_text("raise SystemExit(9)")
    assert start(checkout / "ohmstead", cwd=tmp_path).returncode == 0


def test_the_exit_code_is_the_programs(tmp_path: Path, checkout: Path) -> None:
    path = make_checkout(tmp_path / "other")
    (path / "src" / "ohmstead" / "__main__.py").write_text("raise SystemExit(7)")
    assert start(path / "ohmstead", OHMSTEAD_VENV=str(checkout / ".venv")).returncode == 7


def test_a_changed_lock_is_installed_and_only_then_counts(checkout: Path, tmp_path: Path) -> None:
    line = make_wheel(tmp_path / "wheels", "1.0")
    (checkout / "requirements.lock").write_text(line)
    try:
        done = start(checkout / "ohmstead", PIP_FIND_LINKS=str(tmp_path / "wheels"))
        assert "package 1.0" in done.stdout, done.stderr
        assert "Installing 1 packages" in done.stderr
        assert "Making a Python environment" not in done.stderr
        assert start(checkout / "ohmstead").stderr == ""
    finally:
        (checkout / "requirements.lock").write_text("")


def test_a_package_with_another_hash_is_refused_and_explained(checkout: Path, tmp_path: Path) -> None:
    line = make_wheel(tmp_path / "wheels", "2.0")
    good = line.split("sha256:")[1].strip()
    (checkout / "requirements.lock").write_text(line.replace(good, good[::-1]))
    try:
        done = start(checkout / "ohmstead", PIP_FIND_LINKS=str(tmp_path / "wheels"))
        assert done.returncode == 1
        assert "not the one that was pinned" in done.stderr
        assert done.stdout == ""
    finally:
        (checkout / "requirements.lock").write_text("")


def test_without_a_network_it_says_what_to_do(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text(f"ohmtest==3.0 --hash=sha256:{'0' * 64}\n")
    try:
        done = start(checkout / "ohmstead", PIP_NO_INDEX="0", PIP_INDEX_URL="http://127.0.0.1:9/simple")
        assert done.returncode == 1
        assert "the package index could not be reached" in done.stderr
        assert "HTTPS_PROXY" in done.stderr
    finally:
        (checkout / "requirements.lock").write_text("")


def test_an_interrupted_installation_is_begun_again(tmp_path: Path) -> None:
    path = make_checkout(tmp_path / "checkout")
    broken = path / ".venv"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (broken / "bin" / "python").chmod(0o755)
    (broken / ".ohmstead-unfinished").touch()
    done = start(path / "ohmstead", "x")
    assert "Making a Python environment" in done.stderr
    assert "arguments ['x']" in done.stdout
    assert not (broken / ".ohmstead-unfinished").exists()


def test_two_first_starts_at_once_install_once(tmp_path: Path) -> None:
    path = make_checkout(tmp_path / "checkout")
    both = [
        subprocess.Popen(
            [str(path / "ohmstead"), "x"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Making a Python environment" in errors for _, errors in said) == 1


def test_the_environment_can_be_put_elsewhere(tmp_path: Path) -> None:
    path = make_checkout(tmp_path / "checkout")
    cache = tmp_path / "cache"
    done = start(path / "ohmstead", "x", OHMSTEAD_VENV=str(cache / "env"))
    assert "arguments ['x']" in done.stdout, done.stderr
    assert (cache / "env" / "bin" / "python").exists()
    assert not (path / ".venv").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_checkout_has_its_environment_in_the_cache(tmp_path: Path) -> None:
    path = make_checkout(tmp_path / "checkout")
    path.chmod(0o555)
    try:
        done = start(path / "ohmstead", "x", XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert "arguments ['x']" in done.stdout, done.stderr
        assert list((tmp_path / "cache" / "ohmstead").glob("venv-*/bin/python"))
    finally:
        path.chmod(0o755)


def test_without_python_it_says_how_to_get_one(tmp_path: Path) -> None:
    path = make_checkout(tmp_path / "checkout")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink", "cat", "cksum", "cut"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    done = subprocess.run(
        [str(tools / "sh"), str(path / "ohmstead")],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    for advice in ("Python 3.11 or newer was not found", "apt install", "dnf install", "brew install"):
        assert advice in done.stderr


def test_a_python_that_was_named_and_does_not_suit_is_refused(tmp_path: Path) -> None:
    path = make_checkout(tmp_path / "checkout")
    done = start(path / "ohmstead", OHMSTEAD_PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "OHMSTEAD_PYTHON=/nowhere/python is not a working Python 3.11" in done.stderr

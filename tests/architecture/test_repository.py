"""What is committed: no registry hosts, no paths of one machine; tidy and typed."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.architecture import house


def run(*command: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=house.ROOT, input=stdin, capture_output=True, text=True, check=False
    )


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    files = house.tracked_files()
    assert house.ROOT / "ohmstead" in files
    assert list(house.unwanted_words(files)) == []


def test_such_a_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\nsee https://py" + "pi.org/simple\n/ho" + "me/somebody/x\n")
    (tmp_path / "b.txt").write_text(f"{tmp_path}\nhttps://example.org/ro" + "ot/x ~/work/ $HOME/x\n")
    (tmp_path / "c.bin").write_bytes(b"\0py" + b"pi.org")
    found = [line.split(": ")[0] for line in house.unwanted_words(sorted(tmp_path.iterdir()), tmp_path)]
    assert found == ["a.txt:2", "a.txt:3", "b.txt:1"]


def test_there_is_one_lock_and_it_has_hashes() -> None:
    assert not (house.ROOT / "uv.lock").exists()
    for name in ("requirements.lock", "requirements-test.lock"):
        lines = (house.ROOT / name).read_text().splitlines()
        pinned = [number for number, line in enumerate(lines) if line[:1].isalnum()]
        assert pinned
        assert [lines[number] for number in pinned if "--hash=sha256:" not in lines[number + 1]] == []


def test_the_code_is_clean() -> None:
    done = run("ruff", "check", "--no-cache", "--quiet", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_is_formatted() -> None:
    done = run("ruff", "format", "--check", "--no-cache", "--quiet", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_unclean_code_is_found() -> None:
    sample = "import os\ntry:\n    x = 1\nexcept:\n    pass\n"
    done = run(
        "ruff", "check", "--no-cache", "--quiet", "--stdin-filename", "src/ohmstead/sample.py", "-", stdin=sample
    )
    assert done.returncode == 1
    assert "F401" in done.stdout
    assert "E722" in done.stdout


def test_unformatted_code_is_found() -> None:
    name = "src/ohmstead/sample.py"
    done = run("ruff", "format", "--check", "--no-cache", "--stdin-filename", name, "-", stdin="x=  1\n")
    assert done.returncode == 1


@pytest.mark.timeout(600)
def test_the_types_agree() -> None:
    done = run("mypy", "--cache-dir", _type_cache())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_types_that_disagree_are_found(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("def double(number: int) -> int:\n    return str(number)\n\n\ndef untyped(x):\n    return x\n")
    done = run("mypy", "--config-file", str(house.ROOT / "pyproject.toml"), "--cache-dir", _type_cache(), str(sample))
    assert done.returncode == 1
    assert "return-value" in done.stdout
    assert "no-untyped-def" in done.stdout


def _type_cache() -> str:
    """Kept from run to run where the checkout can be written, since a cold check takes half a minute."""
    cache = house.ROOT / ".mypy_cache"
    try:
        cache.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return str(cache)
    except OSError:
        return str(Path(tempfile.gettempdir()) / "ohmstead-mypy")

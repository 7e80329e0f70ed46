"""Which installation `ohmstead api` talks to, and with which key."""

from pathlib import Path

import pytest

from ohmstead.core.errors import Invalid, OhmsteadError, Refused
from ohmstead.remote.output import plain
from ohmstead.remote.profiles import HERE, Profile, chosen, profile_names, profiles_file

FILE = """
[default]
url = "https://one.example/"
key = "ohm_one"

[two]
url = "https://two.example"
key_file = "two.key"
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = profiles_file(env)
    file.parent.mkdir()
    file.write_text(FILE)
    file.chmod(0o600)
    (file.parent / "two.key").write_text("ohm_two\n")
    return env


def test_without_anything_it_is_this_machine(tmp_path: Path) -> None:
    assert chosen({"XDG_CONFIG_HOME": str(tmp_path)}) == Profile(url=HERE)


def test_the_default_profile_a_named_one_and_the_environment(env: dict[str, str]) -> None:
    assert chosen(env) == Profile(url="https://one.example", key="ohm_one")
    assert chosen(env | {"OHMSTEAD_PROFILE": "two"}) == Profile(url="https://two.example", key="ohm_two")
    given = env | {"OHMSTEAD_API_URL": "http://here:1", "OHMSTEAD_API_KEY": "ohm_env"}
    assert chosen(given) == Profile(url="http://here:1", key="ohm_env")
    assert chosen(given, name="two") == Profile(url="https://two.example", key="ohm_two")
    assert profile_names(env) == ["default", "two"]


def test_a_key_of_a_profile_goes_nowhere_else(env: dict[str, str]) -> None:
    assert chosen(env, url="https://elsewhere.example") == Profile(url="https://elsewhere.example")
    assert chosen(env, name="two", url="https://one.example").key is None
    assert chosen(env | {"OHMSTEAD_API_URL": "https://elsewhere.example"}).key is None


def test_a_file_with_keys_that_others_can_read_is_refused(env: dict[str, str]) -> None:
    profiles_file(env).chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        chosen(env)
    assert profile_names(env) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[default\n", "cannot be read"),
        ("default = 1\n", "is no profile"),
        ("[default]\nurl = 1\n", "is no profile"),
        ("[default]\npassword = 'x'\n", "knows no password"),
        ("[default]\nurl = 'file:///etc'\n", "expected http"),
        ("[default]\nkey = 'with space'\n", "characters that no key has"),
        ("[default]\nkey_file = 'absent'\n", "absent cannot be read"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(env: dict[str, str], text: str, says: str) -> None:
    profiles_file(env).write_text(text)
    with pytest.raises(OhmsteadError, match=says):
        chosen(env)


def test_an_unknown_profile_is_told_with_those_there_are(env: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="there are: default, two"):
        chosen(env, name="three")


def test_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc\u202ed") == "a�[2Jb�c�d"

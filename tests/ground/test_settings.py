"""Settings: what the environment may say, and what it hears when it says something wrong."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from ohmstead.settings import Settings, SettingsError, listing, unknown_variables

KEY = "ab" * 32


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_env({"HOME": "/home/somebody"})
    assert settings.database_url is None
    assert settings.gateway_port == 9000
    assert settings.unknown_stations == "reject"
    assert settings.max_frame_bytes == 1024 * 1024


def test_an_empty_variable_means_unset() -> None:
    assert Settings.from_env({"OHMSTEAD_DATABASE_URL": "", "OHMSTEAD_GATEWAY_PORT": " "}) == Settings.from_env({})


def test_values_of_every_kind_are_read() -> None:
    settings = Settings.from_env(
        {
            "OHMSTEAD_GATEWAY_PORT": "9100",
            "OHMSTEAD_DATA_DIR": "~/elsewhere",
            "OHMSTEAD_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "OHMSTEAD_UNKNOWN_STATIONS": "pending",
            "OHMSTEAD_PUBLIC_URL": "https://charge.example/console",
        }
    )
    assert settings.gateway_port == 9100
    assert settings.data_dir == Path.home() / "elsewhere"
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.unknown_stations == "pending"
    assert settings.console_url == "https://charge.example/console"


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("OHMSTEAD_GATEWAY_PORT", "ninety", "int"),
        ("OHMSTEAD_GATEWAY_PORT", "70000", "<= 65535"),
        ("OHMSTEAD_UNKNOWN_STATIONS", "maybe", "reject, pending, accept"),
        ("OHMSTEAD_TRUSTED_PROXIES", "10.0.0.0/8,here", "network"),
        ("OHMSTEAD_CURRENCY", "euro", "ISO 4217"),
        ("OHMSTEAD_TIME_ZONE", "Mars/Olympus", "IANA"),
        ("OHMSTEAD_PUBLIC_URL", "https://charge.example/", "no slash"),
        ("OHMSTEAD_TLS_EC_CERT", "/etc/ssl/a.pem", "OHMSTEAD_TLS_EC_KEY"),
        ("OHMSTEAD_TLS_CLIENT_CA", "/etc/ssl/ca.pem", "server certificate"),
        ("OHMSTEAD_WEB_PORT", "9000", "OHMSTEAD_GATEWAY_PORT"),
        ("OHMSTEAD_MESSAGE_RETENTION_DAYS", "0", ">= 1"),
    ],
)
def test_a_bad_value_is_refused_with_its_variable_its_value_and_the_rule(variable: str, value: str, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: value})
    assert caught.value.variable == variable
    assert value in str(caught.value)
    assert rule in caught.value.rule


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OHMSTEAD_SECRET_KEY", "hunter2"), ("OHMSTEAD_DATABASE_URL", "mysql://me:hunter2@host/db")],
)
def test_a_bad_secret_is_refused_without_showing_it(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: value})
    assert variable in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_printing_settings_shows_no_secret() -> None:
    shown = repr(Settings(database_url="postgresql://me:hunter2@host/db", secret_key=KEY))
    assert "hunter2" not in shown
    assert KEY not in shown


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://me:secret@host/db\n")
    settings = Settings.from_env({"OHMSTEAD_DATABASE_URL_FILE": str(file)})
    assert settings.database_url == "postgresql://me:secret@host/db"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="OHMSTEAD_SECRET_KEY is set too"):
        Settings.from_env({"OHMSTEAD_SECRET_KEY": KEY, "OHMSTEAD_SECRET_KEY_FILE": str(tmp_path / "key")})


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        Settings.from_env({"OHMSTEAD_SECRET_KEY_FILE": str(tmp_path / "nowhere")})


def test_the_secret_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    key = settings.secret()
    assert len(key) == 32
    assert settings.secret() == key
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "data") == ["secret.key"]


def test_with_a_database_of_ones_own_the_secret_key_must_be_given(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://host/db")
    with pytest.raises(SettingsError, match="openssl rand -hex 32"):
        settings.secret()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("abcd\n")
    with pytest.raises(SettingsError, match="fewer than 32 bytes"):
        Settings(data_dir=tmp_path).secret()


def test_every_setting_is_listed_with_a_meaning() -> None:
    lines = listing()
    assert [line.variable for line in lines] == ["OHMSTEAD_" + name.upper() for name in Settings.__struct_fields__]
    assert all(line.meaning.endswith(".") for line in lines)


def test_a_misspelt_variable_is_found() -> None:
    env = {"OHMSTEAD_GATEWAY_PROT": "1", "OHMSTEAD_GATEWAY_PORT": "1", "OHMSTEAD_SECRET_KEY_FILE": "x", "PATH": "/bin"}
    assert unknown_variables(env) == ["OHMSTEAD_GATEWAY_PROT"]

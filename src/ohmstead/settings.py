"""Every environment variable Ohmstead reads: type, default, one line of meaning.

`OHMSTEAD_` + the field's name in capitals. A secret may come from a file named by the same variable with `_FILE`
appended. The documentation's table and `ohmstead --help` are made from this struct.
"""

import os
import re
import secrets
import zoneinfo
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

PREFIX = "OHMSTEAD_"
SECRETS = frozenset(
    {
        *("database_url", "nats_url", "secret_key", "est_password", "pnc_pool_token", "files_bucket_url"),
        *("stripe_secret_key", "stripe_webhook_secret", "smtp_url", "sms_url"),
    }
)
# Read by the `ohmstead` script, its commands `api` and `mcp`, the simulator, the tests and the benchmarks, not by the
# running system.
OUTSIDE = frozenset(
    {
        *("API_KEY", "API_KEY_FILE", "API_URL", "PROFILE", "MCP_TOKEN"),
        *("PYTHON", "VENV", "TEST_CHROMIUM", "TEST_DATABASE_URL", "TEST_NATS_URL"),
    }
)

Network: TypeAlias = IPv4Network | IPv6Network
Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535)]
PublicUrl: TypeAlias = Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$")]
HttpUrl: TypeAlias = Annotated[str, Meta(pattern=r"^https?://[^\s]+[^\s/]$")]
_S3_URL = re.compile(r"^https?://[^:@/\s]+:[^@/\s]+@[^/@?#\s]+/[^?#\s]+(\?region=[\w-]+)?$")
_SMTP_URL = re.compile(
    r"^smtps?://([^:@/\s]+(:[^@/\s]*)?@)?[^@/?#\s]+/?(\?(tls=none|ca=/[^&\s]+)(&(tls=none|ca=/[^&\s]+))?)?$"
)
_MAIL_FROM = re.compile(r"^([^<>\r\n]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$")
KeyText: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-fA-F]{2}){32,}$")]
Days: TypeAlias = Annotated[int, Meta(ge=1, le=36500)]


class SettingsError(Exception):
    """A setting that cannot be used. Names the variable, the value given (unless secret) and the rule it breaks."""

    def __init__(self, variable: str, value: str | None, rule: str) -> None:
        shown = "" if value is None else f"={value!r}"
        super().__init__(f"{variable}{shown}: {rule}")
        self.variable = variable
        self.value = value
        self.rule = rule


class Setting(Struct, frozen=True):
    """One line of the settings table."""

    variable: str
    kind: str
    default: str
    meaning: str
    is_secret: bool


def default_data_dir(env: Mapping[str, str]) -> Path:
    """Where everything lasting is kept when nothing is said."""
    if os.geteuid() == 0:
        return Path("/var/lib/ohmstead")
    base = env.get("XDG_DATA_HOME") or os.path.join(env.get("HOME") or os.path.expanduser("~"), ".local", "share")
    return Path(base) / "ohmstead"


def _about(meaning: str) -> Meta:
    return Meta(description=meaning)


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. `Settings.from_env(os.environ)` in programs, `Settings(data_dir=…)` in tests."""

    database_url: Annotated[
        str | None, _about("PostgreSQL ≥ 15, `postgresql://user:password@host:5432/name`. Unset: the built-in one.")
    ] = None
    nats_url: Annotated[
        str | None, _about("NATS, `nats://user:password@host:4222`, several with commas. Unset: the built-in one.")
    ] = None
    data_dir: Annotated[
        Path, _about("Directory for the built-in servers, the secret key and the lock. As root: `/var/lib/ohmstead`.")
    ] = msgspec.field(default_factory=lambda: default_data_dir(os.environ))

    gateway_host: Annotated[str, _about("Address for stations; `0.0.0.0` for all interfaces.")] = "127.0.0.1"
    gateway_port: Annotated[Port, _about("Port for stations without TLS.")] = 9000
    gateway_tls_port: Annotated[Port, _about("Port for stations with TLS; open only when a certificate is set.")] = 9443
    tls_ec_cert: Annotated[Path | None, _about("Server certificate chain with an elliptic-curve key, PEM.")] = None
    tls_ec_key: Annotated[Path | None, _about("Private key of the elliptic-curve certificate, PEM.")] = None
    tls_rsa_cert: Annotated[Path | None, _about("Server certificate chain with an RSA key, PEM.")] = None
    tls_rsa_key: Annotated[Path | None, _about("Private key of the RSA certificate, PEM.")] = None
    tls_client_ca: Annotated[
        Path | None, _about("Authorities whose client certificates are accepted (security profile 3), PEM.")
    ] = None
    tls_client_crl: Annotated[
        Path | None, _about("Revocation lists of those authorities, PEM; each must be current.")
    ] = None
    tls_client_organization: Annotated[
        str | None, _about("Organization that a station's certificate must name, when the authority serves others too.")
    ] = None
    tls_allows_rsa_key_exchange: Annotated[
        bool, _about("Also offer the TLS_RSA_WITH_AES_GCM suites, without forward secrecy, for old stations.")
    ] = False
    certificate_days: Annotated[
        int, Meta(ge=1, le=3650), _about("How long a certificate of our own authority is good, in days.")
    ] = 365
    est_url: Annotated[
        HttpUrl | None,
        _about(
            "Another authority for station certificates, by EST; the address before `/simpleenroll`. Unset: our own."
        ),
    ] = None
    est_vehicle_url: Annotated[HttpUrl | None, _about("The same for V2G certificates (ISO 15118).")] = None
    est_user: Annotated[str | None, _about("User name at the EST servers.")] = None
    est_password: Annotated[str | None, _about("Password at the EST servers.")] = None
    est_ca: Annotated[
        Path | None, _about("Authorities of the EST servers' certificates, PEM. Unset: the system's.")
    ] = None
    ocsp_hosts: Annotated[
        tuple[str, ...],
        _about("Hosts, with commas, `host` or `host:port`, that may be asked whether contract certificates are good."),
    ] = ()
    crl_hosts: Annotated[
        tuple[str, ...],
        _about(
            "Hosts from which revocation lists of other authorities are fetched where certificates name them: those of "
            "`OHMSTEAD_TLS_CLIENT_CA` and contracts. None: no list is."
        ),
    ] = ()
    crl_failure: Annotated[
        Literal["refuse", "admit"],
        _about(
            "A station whose certificate's revocation list cannot be had or believed: refused, or let in with a security "
            "signal. Contracts are always refused."
        ),
    ] = "refuse"
    pnc_pool_url: Annotated[
        HttpUrl | None, _about("Contract certificate pool for Plug & Charge, asked on behalf of cars.")
    ] = None
    pnc_pool_token: Annotated[str | None, _about("Bearer token at the pool.")] = None
    trusted_proxies: Annotated[
        tuple[Network, ...],
        _about("Networks, with commas, from which forwarded addresses and client certificates are believed."),
    ] = ()
    unknown_stations: Annotated[
        Literal["reject", "pending", "accept"],
        _about("A station nobody registered: turned away, listed for adoption, or (laboratory only) let in."),
    ] = "reject"
    hide_unknown_stations: Annotated[
        bool, _about("Answer unknown identities like wrong passwords (401), not 404 as OCPP asks: nobody can probe.")
    ] = False
    heartbeat_interval_s: Annotated[
        int, Meta(ge=10, le=86400), _about("Heartbeat interval given to stations, spread by ±10 %.")
    ] = 900
    ping_interval_s: Annotated[
        int,
        Meta(ge=1, le=3600),
        _about("WebSocket pings to stations; one unanswered for half this time closes the socket."),
    ] = 30
    call_timeout_s: Annotated[int, Meta(ge=1, le=600), _about("How long a station may take to answer a command.")] = 30
    drain_s: Annotated[
        int,
        Meta(ge=0, le=600),
        _about("How long a gateway takes to let its stations go when it is stopped, and web to finish its requests."),
    ] = 10
    max_frame_bytes: Annotated[
        int, Meta(ge=4096, le=64 * 1024 * 1024), _about("Largest message accepted from a station, uncompressed.")
    ] = 1024 * 1024
    no_authorization: Annotated[
        Literal["accept", "reject"], _about("Sessions that a station starts without asking for authorization.")
    ] = "accept"
    direct_payment: Annotated[
        Literal["accept", "reject"], _about("Sessions that a payment terminal authorized (OCPP 2.1).")
    ] = "accept"
    charging_plan: Annotated[
        Literal["flat", "late"],
        _about("Cars that tell when they leave: charged evenly until then, or late, as fast as goes."),
    ] = "flat"
    vat_register_url: Annotated[
        str | None, _about("Register of VAT numbers that speaks as VIES does; none: no number is confirmed.")
    ] = None

    quirks_dir: Annotated[
        Path | None, _about("Directory with quirk profiles of your own (YAML), read beside those that come along.")
    ] = None

    web_host: Annotated[str, _about("Address of the console and the REST API.")] = "127.0.0.1"
    web_port: Annotated[Port, _about("Port of the console and the REST API.")] = 8080
    public_url: Annotated[
        PublicUrl | None,
        _about("Address under which people reach the console, without a slash at the end; used in links."),
    ] = None
    oidc_file: Annotated[
        Path | None, _about("Providers that people may sign in with (OpenID Connect), YAML. See docs/access.md.")
    ] = None
    breach_list_url: Annotated[
        HttpUrl | None,
        _about("List of passwords that became public, asked by the first five digits of a hash. Unset: none is asked."),
    ] = None
    tile_url: Annotated[
        str | None, _about("Map tiles, a template with `{z}`, `{x}`, `{y}`. Unset: the map draws no background.")
    ] = None
    help_phone: Annotated[
        str | None,
        Meta(pattern=r"^\+?[0-9 ()/.-]{3,30}$"),
        _about("Number that drivers call for help where a location names none of its own."),
    ] = None
    carbon_g_per_kwh: Annotated[
        Annotated[int, Meta(ge=0, le=2000)] | None,
        _about("Grams of CO₂ for a kWh of the electricity sold, for drivers' history. Unset: they are told none."),
    ] = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$"), _about("Currency of a new installation, ISO 4217.")] = "EUR"
    time_zone: Annotated[str, _about("Time zone of a new installation, IANA name.")] = "UTC"

    files_url: Annotated[
        PublicUrl | None,
        _about("Address under which stations reach the web process for `/files`. Unset: as people reach the console."),
    ] = None
    files_bucket_url: Annotated[
        str | None,
        _about(
            "Bucket for files, `https://key-id:secret@host/bucket/prefix?region=…`. Unset: `files` in the data dir."
        ),
    ] = None
    file_hosts: Annotated[
        tuple[str, ...],
        _about(
            "Hosts, with commas, to which stations may be sent for firmware and logs beside our own; `*.example.com`."
        ),
    ] = ()
    file_link_s: Annotated[
        int, Meta(ge=60, le=604_800), _about("How long an address given to a station for a file is good, in seconds.")
    ] = 7200
    ftp_port: Annotated[
        Port | None, _about("Port for FTP (and TLS on request) for old stations' files. Unset: no FTP.")
    ] = None
    ftps_port: Annotated[
        Port | None, _about("Port for FTP with TLS from the start; needs a server certificate. Unset: none.")
    ] = None
    ftp_host: Annotated[str, _about("Address on which FTP listens.")] = "127.0.0.1"
    ftp_public_host: Annotated[
        str | None, _about("Name under which stations reach FTP. Unset: the host of the address for files.")
    ] = None
    ftp_passive_address: Annotated[
        str | None,
        Meta(pattern=r"^\d{1,3}(\.\d{1,3}){3}$"),
        _about("IPv4 address told to stations for data connections, behind NAT. Unset: the one they came to."),
    ] = None
    ftp_passive_ports: Annotated[
        str, Meta(pattern=r"^\d{4,5}-\d{4,5}$"), _about("Ports for data connections, first and last.")
    ] = "50000-50099"
    ftp_most_connections: Annotated[int, Meta(ge=1, le=1000), _about("FTP connections at one time.")] = 50
    ftp_longest_s: Annotated[
        int, Meta(ge=60, le=86_400), _about("How long an FTP connection may last, transfers and all, in seconds.")
    ] = 3600
    ftp_bytes_per_s: Annotated[
        int, Meta(ge=0), _about("Most bytes a second of one FTP transfer; 0 for as many as come.")
    ] = 4 * 1024**2
    firmware_signers: Annotated[
        Literal["warn", "refuse"],
        _about(
            "Firmware that no manufacturer's root vouches for: taken with a warning, or neither taken nor rolled out."
        ),
    ] = "warn"
    max_firmware_bytes: Annotated[int, Meta(ge=1024, le=2**40), _about("Largest firmware image taken.")] = 1024**3
    max_log_bytes: Annotated[int, Meta(ge=1024, le=2**40), _about("Largest log taken from a station.")] = 256 * 1024**2
    max_unpacked_bytes: Annotated[
        int, Meta(ge=1024, le=2**40), _about("Most that a log may unpack to; 200 times its size is the other limit.")
    ] = 2 * 1024**3
    log_retention_days: Annotated[Days, _about("Logs sent by stations are dropped after so many days.")] = 90

    sandbox_payments: Annotated[
        bool, _about("Let people pay in the sandbox, where no money moves. For trials; `demo` switches it on.")
    ] = False
    stripe_secret_key: Annotated[str | None, _about("Secret key at Stripe. Unset: nobody pays through Stripe.")] = None
    stripe_webhook_secret: Annotated[
        str | None, _about("Signing secret of the webhook endpoint at Stripe, `whsec_…`.")
    ] = None
    stripe_api_base: Annotated[
        HttpUrl | None, _about("Another address of Stripe's API, for tests. Unset: Stripe's own.")
    ] = None

    webhook_hosts: Annotated[
        tuple[str, ...],
        _about(
            "Hosts, with commas, `host`, `host:port` or `*.example.com`, that webhooks may reach though they are private"
            " or speak plain HTTP."
        ),
    ] = ()
    webhook_timeout_s: Annotated[
        int, Meta(ge=1, le=60), _about("How long a webhook's receiver may take to answer, in seconds.")
    ] = 15

    smtp_url: Annotated[
        str | None,
        _about(
            "Mail server, `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`, special characters percent-encoded."
            " Unset: no mail is sent, and the log says so."
        ),
    ] = None
    mail_from: Annotated[
        str | None,
        _about("Who mails come from, `Name <address>`. Unset: `no-reply` at the host of `OHMSTEAD_PUBLIC_URL`."),
    ] = None
    sms_url: Annotated[
        str | None,
        _about("Who sends SMS, as an address of Apprise with `{phone}` for the number. Unset: no SMS is sent."),
    ] = None
    push_hosts: Annotated[
        tuple[str, ...],
        _about("Push services, with commas, `host:port`, that may be private or speak plain HTTP: for trying it out."),
    ] = ()

    message_retention_days: Annotated[Days, _about("OCPP messages older than this are dropped.")] = 14
    sample_retention_days: Annotated[Days, _about("Meter samples older than this are dropped; sessions stay.")] = 1095
    status_retention_days: Annotated[Days, _about("Status intervals older than this are dropped.")] = 1095
    record_retention_days: Annotated[
        Days, _about("What else stations reported (settings, events, customers' data) is dropped after so many days.")
    ] = 90
    sign_in_retention_days: Annotated[Days, _about("Attempts to sign in are forgotten after so many days.")] = 365
    signal_retention_days: Annotated[
        Days,
        _about("Security signals (refused connections, stations' security events) are forgotten after so many days."),
    ] = 365
    pool_size: Annotated[int, Meta(ge=1, le=200), _about("Database connections of each process.")] = 8
    secret_key: Annotated[
        KeyText | None,
        _about("At least 32 bytes as hexadecimal; signs sign-in links and hashes generated secrets. See `secret()`."),
    ] = None

    metrics_gateway_port: Annotated[Port, _about("Health and metrics of the gateway, on 127.0.0.1.")] = 9001
    worker_health_port: Annotated[Port, _about("Health and metrics of the worker, on 127.0.0.1.")] = 9002
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _about("Least severity written; `up` and `demo` write warnings unless told."),
    ] = "info"
    log_format: Annotated[Literal["console", "json"], _about("Log lines for people or for collectors.")] = "console"

    otlp_endpoint: Annotated[
        HttpUrl | None,
        _about("OpenTelemetry collector for traces, OTLP over HTTP, as `http://127.0.0.1:4318`. Unset: none."),
    ] = None
    trace_share: Annotated[float, Meta(ge=0, le=1), _about("Of how many traces the collector is told.")] = 1.0

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        parts = (f"{n}={'•••' if n in SECRETS and v is not None else repr(v)}" for n, v in shown.items())
        return f"Settings({', '.join(parts)})"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read every variable. Empty means unset. Raises SettingsError at the first one that breaks its rule."""
        hints = get_type_hints(cls, include_extras=True)
        given: dict[str, Any] = {"data_dir": default_data_dir(env)}
        for name in cls.__struct_fields__:
            raw = _raw(env, name)
            if raw is not None:
                given[name] = _parsed(name, raw, hints[name])
        settings = cls(**given)
        _check_together(settings)
        return settings

    @property
    def has_tls(self) -> bool:
        """Whether stations can connect with TLS."""
        return self.tls_ec_cert is not None or self.tls_rsa_cert is not None

    @property
    def console_url(self) -> str:
        """Where people reach the console."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.web_host in ("0.0.0.0", "::") else self.web_host  # noqa: S104  (compared, not bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.web_port}"

    @property
    def files_base_url(self) -> str:
        """Where stations reach the web process."""
        return self.files_url or self.console_url

    @property
    def has_ftp(self) -> bool:
        """Whether stations can fetch and send files by FTP."""
        return self.ftp_port is not None or self.ftps_port is not None

    @property
    def ftp_reached_at(self) -> str:
        """The host under which stations reach FTP."""
        return self.ftp_public_host or urlsplit(self.files_base_url).hostname or self.ftp_host

    def secret(self) -> bytes:
        """The installation's secret key: `secret_key`, or the file `secret.key` in the data directory.

        With the built-in database the file is made on first use (mode 0600). With `database_url` set nothing is
        generated: several machines may share that database, and a key of its own on each would invalidate the
        others' sign-in links and station secrets without a word. Raises SettingsError.
        """
        if self.secret_key is not None:
            return bytes.fromhex(self.secret_key)
        path = self.data_dir / "secret.key"
        if not path.exists():
            if self.database_url is not None:
                raise SettingsError(
                    PREFIX + "SECRET_KEY",
                    None,
                    "is required when OHMSTEAD_DATABASE_URL is set: the same key on every machine of the installation. "
                    "Make one with `openssl rand -hex 32`",
                )
            _make_key(path)
        try:
            key = bytes.fromhex(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise SettingsError(PREFIX + "SECRET_KEY", None, f"{path} cannot be used: {error}") from error
        if len(key) < 32:
            raise SettingsError(PREFIX + "SECRET_KEY", None, f"{path} holds fewer than 32 bytes")
        return key


def _raw(env: Mapping[str, str], name: str) -> str | None:
    variable = PREFIX + name.upper()
    value = env.get(variable, "").strip() or None
    file = env.get(variable + "_FILE", "").strip() if name in SECRETS else ""
    if not file:
        return value
    if value is not None:
        raise SettingsError(variable + "_FILE", file, f"{variable} is set too; give one of the two")
    try:
        return Path(file).expanduser().read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(variable + "_FILE", file, f"cannot be read: {error}") from error


def _parsed(name: str, raw: str, hint: Any) -> Any:
    variable = PREFIX + name.upper()
    shown = None if name in SECRETS else raw
    value: Any = raw
    try:
        if hint == _TYPES["trusted_proxies"]:
            return tuple(ip_network(part.strip(), strict=False) for part in raw.split(",") if part.strip())
        if hint in tuple(
            _TYPES[name] for name in ("file_hosts", "ocsp_hosts", "crl_hosts", "webhook_hosts", "push_hosts")
        ):
            return tuple(part.strip().lower() for part in raw.split(",") if part.strip())
        return msgspec.convert(value, hint, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError) as error:
        rule = str(error).split(" - at `$")[0]
        rule = _RULES.get(name, rule[:1].lower() + rule[1:].replace("`", ""))
        if "Literal" in str(hint):
            rule = "expected one of " + ", ".join(hint.__origin__.__args__)
        raise SettingsError(variable, shown, rule) from error


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value).expanduser().absolute()
    raise NotImplementedError(kind)


_TYPES = get_type_hints(Settings, include_extras=True)
_RULES = {
    "public_url": "expected http:// or https://, a host, and no slash at the end",
    "files_url": "expected http:// or https://, a host, and no slash at the end",
    "currency": "expected three capitals, such as EUR (ISO 4217)",
    "secret_key": "expected at least 32 bytes as hexadecimal digits; make one with `openssl rand -hex 32`",
}


def _check_together(settings: Settings) -> None:
    def refuse(name: str, rule: str) -> None:
        value = None if name in SECRETS else str(getattr(settings, name))
        raise SettingsError(PREFIX + name.upper(), value, rule)

    for kind in ("ec", "rsa"):
        cert, key = f"tls_{kind}_cert", f"tls_{kind}_key"
        if (getattr(settings, cert) is None) != (getattr(settings, key) is None):
            lonely, absent = (cert, key) if getattr(settings, key) is None else (key, cert)
            refuse(lonely, f"needs {PREFIX}{absent.upper()} beside it")
    if settings.tls_client_ca is not None and not settings.has_tls and not settings.trusted_proxies:
        refuse(
            "tls_client_ca",
            "needs a server certificate (OHMSTEAD_TLS_EC_CERT or OHMSTEAD_TLS_RSA_CERT) or a trusted proxy",
        )
    if settings.tls_client_crl is not None and settings.tls_client_ca is None:
        refuse("tls_client_crl", f"needs {PREFIX}TLS_CLIENT_CA")
    if settings.database_url and not settings.database_url.startswith(("postgresql://", "postgres://")):
        refuse("database_url", "expected postgresql://…")
    if settings.nats_url and not settings.nats_url.startswith(("nats://", "tls://", "ws://", "wss://")):
        refuse("nats_url", "expected nats://… or tls://…")
    if settings.files_bucket_url and not _S3_URL.match(settings.files_bucket_url):
        refuse("files_bucket_url", "expected https://key-id:secret@host/bucket, special characters percent-encoded")
    if settings.smtp_url and not _SMTP_URL.match(settings.smtp_url):
        refuse("smtp_url", "expected smtp://user:password@host:port or smtps://…, with ?tls=none or ?ca=/path after it")
    if settings.mail_from and not _MAIL_FROM.match(settings.mail_from):
        refuse(
            "mail_from", "expected an address, as no-reply@harbour.example or Harbour Power <no-reply@harbour.example>"
        )
    if settings.sms_url and ("{phone}" not in settings.sms_url or "://" not in settings.sms_url):
        refuse("sms_url", "expected an address of Apprise with {phone} in it, as twilio://SID:TOKEN@FROM/{phone}")
    try:
        zoneinfo.ZoneInfo(settings.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        refuse("time_zone", "expected an IANA time zone, such as Europe/Amsterdam")
    if settings.ftps_port is not None and not settings.has_tls:
        refuse("ftps_port", "needs a server certificate (OHMSTEAD_TLS_EC_CERT or OHMSTEAD_TLS_RSA_CERT)")
    if settings.stripe_secret_key and not settings.stripe_webhook_secret:
        refuse(
            "stripe_secret_key",
            f"needs {PREFIX}STRIPE_WEBHOOK_SECRET beside it: what Stripe tells is not believed without",
        )
    first, last = (int(part) for part in settings.ftp_passive_ports.split("-"))
    if not first <= last <= 65535:
        refuse("ftp_passive_ports", "expected two ports, the first no higher than the last")
    ports: dict[int, str] = {}
    names = ("gateway_port", "gateway_tls_port", "web_port", "metrics_gateway_port", "worker_health_port")
    for name in (*names, "ftp_port", "ftps_port"):
        port = getattr(settings, name)
        other = ports.setdefault(port, name) if port is not None else name
        if other != name:
            refuse(name, f"is the same port as {PREFIX}{other.upper()}")


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".secret.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, not a rename: of two processes that start together, one key wins and both read it.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def listing() -> list[Setting]:
    """Every setting, in the order of the struct: for `ohmstead --help` and the documentation."""
    defaults = {f.name: f for f in msgspec.structs.fields(Settings)}
    lines = []
    for name, hint in _TYPES.items():
        meaning = next(
            m.description for m in reversed(hint.__metadata__) if isinstance(m, Meta) and m.description is not None
        )
        default = "" if name == "data_dir" else _shown(defaults[name].default)
        if name == "data_dir":
            default = "~/.local/share/ohmstead"
        lines.append(Setting(PREFIX + name.upper(), _kind(name, hint), default, meaning, name in SECRETS))
    return lines


def _shown(value: Any) -> str:
    if value is None or value == ():
        return ""
    return str(value)


def _kind(name: str, hint: Any) -> str:
    origin = hint.__origin__
    if name == "trusted_proxies":
        return "networks"
    text = str(origin)
    if "Literal" in text:
        return " | ".join(origin.__args__)
    if "bool" in text:
        return "true | false"
    if "int" in text:
        return "number"
    if "Path" in text:
        return "path"
    return "text"


def unknown_variables(env: Mapping[str, str]) -> list[str]:
    """Variables that start with OHMSTEAD_ and that nobody reads: most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__}
    known |= {PREFIX + name.upper() + "_FILE" for name in SECRETS} | {PREFIX + name for name in OUTSIDE}
    return sorted(name for name in env if name.startswith(PREFIX) and name not in known)

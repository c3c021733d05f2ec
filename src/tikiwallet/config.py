"""Settings: environment variables `TIKIWALLET_*`, read once into a frozen object.

Every mistake becomes one line that says what is wrong and what to write instead; all of them are
reported together, before anything is started.
"""

import difflib
import ipaddress
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from tikiwallet.issuers import Issuer, read_issuers

PREFIX: Final = "TIKIWALLET_"
NAMES: Final = (
    "TIKIWALLET_CLUSTER",
    "TIKIWALLET_DATABASE_URL",
    "TIKIWALLET_DATA_DIR",
    "TIKIWALLET_HOT_ACCOUNTS",
    "TIKIWALLET_KEYS_DIR",
    "TIKIWALLET_LEASE_MS",
    "TIKIWALLET_LEDGER_DATABASE_URL",
    "TIKIWALLET_LOG_LEVEL",
    "TIKIWALLET_MIGRATE_URL",
    "TIKIWALLET_OIDC_FILE",
    "TIKIWALLET_PLACES_FILE",
    "TIKIWALLET_PORT",
    "TIKIWALLET_PUBLIC_URL",
    "TIKIWALLET_RATE_LIMITS",
    "TIKIWALLET_RECOVERY_HOURS",
    "TIKIWALLET_REDIS_URL",
    "TIKIWALLET_TRUSTED_PROXIES",
    "TIKIWALLET_TWILIO_ACCOUNT_SID",
    "TIKIWALLET_TWILIO_AUTH_TOKEN",
    "TIKIWALLET_TWILIO_FROM",
    "TIKIWALLET_TWILIO_URL",
)
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_TWILIO_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII)
# A number, a short code, a messaging service, or a name of letters and digits.
_TWILIO_FROM: Final = re.compile(
    r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|MG[0-9a-fA-F]{32}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}", re.ASCII
)


class SettingsError(Exception):
    """The environment asks for something impossible. `mistakes` holds one line each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSettings:
    """An account at Twilio. `sender` is a number, a short code, a name or a messaging service."""

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this process was told. URLs may hold passwords and stay out of `repr`."""

    data_dir: Path
    keys_dir: Path
    port: int = 8000
    host: str = "127.0.0.1"
    database_url: str | None = field(default=None, repr=False)  # steps down to tikiwallet_app
    ledger_database_url: str | None = field(default=None, repr=False)
    migrate_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    public_url: str = "http://localhost:8000"  # no slash at the end
    rate_limits: bool = True
    recovery_hours: int = 24  # the waiting time of recoveries and changes of number
    hot_accounts: int = 250_000  # states the ledger's writer keeps in memory
    lease_ms: int = 500
    log_level: str = "info"
    cluster_wanted: bool | None = None
    issuers: tuple[Issuer, ...] = ()  # whose identities sign people in
    places_file: Path | None = None  # in MaxMind's format; says roughly where addresses are
    trusted_proxies: tuple[Network, ...] = ()  # whose X-Forwarded-For is believed
    twilio: TwilioSettings | None = None  # none: messages stay in the sandbox's inbox

    @property
    def embedded(self) -> bool:
        """Whether this installation runs its own PostgreSQL."""
        return self.database_url is None

    @property
    def cluster(self) -> bool:
        """Whether PostgreSQL is a cluster, as TIKIWALLET_CLUSTER says, or else because its URL
        names several hosts. The ledger's writer then insists on a synchronous standby."""
        if self.cluster_wanted is not None:
            return self.cluster_wanted
        return len(database_hosts(self.ledger_database_url or "")) > 1

    @property
    def sandbox(self) -> bool:
        """Whether no real provider is set and this installation is for nobody but this machine:
        it listens on loopback, as behind a proxy too, and is known by a name of loopback."""
        known_here = is_loopback(urlsplit(self.public_url).hostname or "")
        return self.twilio is None and is_loopback(self.host) and known_here

    @property
    def ledger_socket(self) -> Path:
        """Where the ledger's writer listens for other processes of this machine."""
        return self.data_dir / "run" / "ledger.sock"

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Settings from `env`; a variable set to nothing counts as not set.

        Raises SettingsError with one line per mistake.
        """
        reader = _Reader(env)
        reader.refuse_unknown()
        data_dir = reader.folder("TIKIWALLET_DATA_DIR") or default_data_dir(env)
        port = reader.number("TIKIWALLET_PORT", 8000, 1, 65_535)
        database_url = reader.database("TIKIWALLET_DATABASE_URL")
        ledger_url = reader.database("TIKIWALLET_LEDGER_DATABASE_URL")
        migrate_url = reader.database("TIKIWALLET_MIGRATE_URL")
        if database_url is None:
            for name, url in (
                ("TIKIWALLET_LEDGER_DATABASE_URL", ledger_url),
                ("TIKIWALLET_MIGRATE_URL", migrate_url),
            ):
                if url is not None:
                    reader.refuse(f"{name} is set but TIKIWALLET_DATABASE_URL is not: set both")
        twilio = reader.twilio()
        rate_limits = reader.switch("TIKIWALLET_RATE_LIMITS", default=True)
        if twilio is not None and not rate_limits:
            reader.refuse(
                "TIKIWALLET_RATE_LIMITS=off is for load tests: messages by Twilio need them on"
            )
        public_url = reader.public_url("TIKIWALLET_PUBLIC_URL") or f"http://localhost:{port}"
        proxies = reader.networks("TIKIWALLET_TRUSTED_PROXIES")
        if proxies == () and not is_loopback(urlsplit(public_url).hostname or ""):
            reader.refuse(
                f"TIKIWALLET_PUBLIC_URL={public_url} means a proxy in front, and all callers would "
                "share its address: name it in TIKIWALLET_TRUSTED_PROXIES, like 127.0.0.1"
            )
        recovery_hours = reader.number("TIKIWALLET_RECOVERY_HOURS", 24, 0, 720)
        if twilio is not None and recovery_hours == 0:
            reader.refuse("TIKIWALLET_RECOVERY_HOURS=0 is for the sandbox: real people need time")
        settings = cls(
            data_dir=data_dir,
            keys_dir=reader.folder("TIKIWALLET_KEYS_DIR") or data_dir / "keys",
            port=port,
            database_url=database_url,
            ledger_database_url=ledger_url or database_url,
            migrate_url=migrate_url or database_url,
            redis_url=reader.redis("TIKIWALLET_REDIS_URL"),
            public_url=public_url,
            trusted_proxies=proxies or (),
            rate_limits=rate_limits,
            recovery_hours=recovery_hours,
            hot_accounts=reader.number("TIKIWALLET_HOT_ACCOUNTS", 250_000, 1_000, 50_000_000),
            lease_ms=reader.number("TIKIWALLET_LEASE_MS", 500, 50, 500),
            cluster_wanted={"on": True, "off": False}.get(
                reader.choice("TIKIWALLET_CLUSTER", "auto", ("on", "off", "auto"))
            ),
            issuers=reader.issuers("TIKIWALLET_OIDC_FILE"),
            places_file=reader.file("TIKIWALLET_PLACES_FILE"),
            log_level=reader.choice("TIKIWALLET_LOG_LEVEL", "info", LOG_LEVELS),
            twilio=twilio,
        )
        if reader.mistakes:
            raise SettingsError(reader.mistakes)
        return settings


def default_data_dir(env: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Where an installation keeps its data when TIKIWALLET_DATA_DIR does not say."""
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    if platform == "darwin":
        return home / "Library" / "Application Support" / "TikiWallet"
    data_home = env.get("XDG_DATA_HOME", "")
    # A relative XDG_DATA_HOME is to be ignored, says the XDG base directory specification.
    base = Path(data_home) if data_home.startswith("/") else home / ".local" / "share"
    return base / "tikiwallet"


def database_hosts(url: str) -> list[tuple[str, int | None]]:
    """The hosts, or folders of sockets, that a PostgreSQL URL names, each with its port (None: the
    usual one); none for a URL without. Raises ValueError for a port that is not a number."""
    place, _, query = url.partition("://")[2].partition("?")
    options = parse_qs(query)
    named = unquote(place.partition("/")[0].rpartition("@")[2]) or options.get("host", [""])[-1]
    ports = [int(port) for port in options.get("port", [""])[-1].split(",") if port]
    hosts: list[tuple[str, int | None]] = []
    for index, written in enumerate(named.split(",") if named else ()):
        # A folder may hold colons, and so does an IPv6 address in its brackets.
        host, colon, port = (written, "", "") if written.startswith("/") else _split_port(written)
        if ports:
            hosts.append((host, ports[min(index, len(ports) - 1)]))
        else:
            hosts.append((host, int(port) if colon else None))
    return hosts


def _split_port(written: str) -> tuple[str, str, str]:
    if written.startswith("["):
        host, _, rest = written[1:].partition("]")
        return host, rest[:1], rest[1:]
    return written.partition(":")


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(parts: SplitResult) -> str:
    """A URL's origin as browsers write it; pages' calls are compared with that. Raises
    UnicodeError."""
    host = (parts.hostname or "").encode("idna").decode()
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{shown}" + ("" if parts.port in (None, usual) else f":{parts.port}")


class _Reader:
    """Reads single variables and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.mistakes: list[str] = []

    def refuse(self, line: str) -> None:
        self.mistakes.append(line)

    def refuse_unknown(self) -> None:
        for name in sorted(self.env):
            if not name.upper().startswith(PREFIX) or name in NAMES:
                continue
            near = difflib.get_close_matches(name.upper(), NAMES, n=1, cutoff=0.75)
            hint = f"did you mean {near[0]}?" if near else "remove it, or see the README for names"
            self.refuse(f"{name} is not a setting: {hint}")

    def text(self, name: str) -> str | None:
        return self.env.get(name, "").strip() or None

    def folder(self, name: str) -> Path | None:
        value = self.text(name)
        if value is None:
            return None
        if "\0" in value:
            self.refuse(f"{name} holds a NUL character: give the path of a folder")
            return None
        try:
            path = Path(value).expanduser().absolute()
        except RuntimeError:
            self.refuse(f"{name}={value} names a home folder that does not exist")
            return None
        if path.exists() and not path.is_dir():
            self.refuse(f"{name}={value} is a file: give the path of a folder")
        return path

    def file(self, name: str) -> Path | None:
        value = self.text(name)
        if value is None:
            return None
        path = Path(value).expanduser().absolute()
        if not path.is_file():
            self.refuse(f"{name}={value} is no file")
            return None
        return path

    def networks(self, name: str) -> tuple[Network, ...] | None:
        """Nothing when not set; None when what is set is refused."""
        found: list[Network] = []
        for written in (self.text(name) or "").replace(",", " ").split():
            try:
                network = ipaddress.ip_network(written)
            except ValueError:
                self.refuse(f"{name}: {written} is no address or network, like 10.0.0.0/24")
                return None
            if network.prefixlen == 0:
                self.refuse(f"{name}: {written} trusts everybody: name your proxies only")
                return None
            found.append(network)
        return tuple(found)

    def issuers(self, name: str) -> tuple[Issuer, ...]:
        path = self.file(name)
        if path is None:
            return ()
        found, mistakes = read_issuers(path)
        for mistake in mistakes:
            self.refuse(f"{name}: {mistake}")
        return found

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and low <= int(value[:12]) <= high):
            self.refuse(f"{name}={value} is not a whole number from {low} to {high}")
            return default
        return int(value)

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.choice(name, "on" if default else "off", ("on", "off"))
        return value == "on"

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = (self.text(name) or default).lower()
        if value not in choices:
            self.refuse(f"{name}={value} is not known: use one of {', '.join(choices)}")
            return default
        return value

    def database(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        # Several hosts with ports (`a:5432,b:5432`) are fine for PostgreSQL but not for `split`.
        scheme, separator, rest = value.partition("://")
        if scheme not in ("postgresql", "postgres") or not separator or not rest.strip("/"):
            self.refuse(f"{name} must look like postgresql://person:password@host:5432/tikiwallet")
            return None
        try:
            database_hosts(value)
        except ValueError:
            self.refuse(f"{name} names a port that is not a number")
            return None
        return value

    def redis(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        parts = self._split(value)
        if parts is None or parts.scheme not in ("redis", "rediss") or not parts.hostname:
            self.refuse(f"{name} must look like redis://host:6379/0 (rediss:// with TLS)")
            return None
        return value

    def twilio(self) -> TwilioSettings | None:
        names = [f"TIKIWALLET_TWILIO_{name}" for name in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM")]
        sid, token, sender = (self.text(name) for name in names)
        url = self.origin("TIKIWALLET_TWILIO_URL", "https://api.twilio.com")
        given = [name for name in names if self.text(name) is not None]
        if not given:
            return None
        if sid is None or token is None or sender is None:
            missing = [name for name in names if name not in given]
            self.refuse(f"{', '.join(missing)} must be set with {given[0]}, to send by Twilio")
            return None
        if not _TWILIO_SID.fullmatch(sid):
            self.refuse(f"{names[0]} must look like AC and 32 hex digits")
        if not token.isascii() or not token.isprintable():
            self.refuse(f"{names[1]} holds characters that no token has")
        if not _TWILIO_FROM.fullmatch(sender):
            self.refuse(
                f"{names[2]} must be a number (+15551234567), a short code, MG..., or a name"
            )
        return TwilioSettings(
            account_sid=sid, auth_token=token, sender=sender, url=url or "https://api.twilio.com"
        )

    def public_url(self, name: str) -> str | None:
        return self.origin(name, "https://wallet.example.org")

    def origin(self, name: str, example: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        parts = self._split(value)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            self.refuse(f"{name} must look like {example}")
            return None
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
            self.refuse(f"{name} must hold scheme, host and port only, like https://{parts.netloc}")
            return None
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            self.refuse(f"{name} must begin with https:// because {parts.hostname} is not loopback")
            return None
        try:
            return _origin(parts)
        except UnicodeError:
            self.refuse(f"{name}: {parts.hostname} is no name of a host")
            return None

    @staticmethod
    def _split(value: str) -> SplitResult | None:
        try:
            parts = urlsplit(value)
            _ = parts.port  # raises for a port out of range
        except ValueError:
            return None
        return parts

"""Settings: defaults, and one clear line per mistake."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from tikiwallet.config import Settings, SettingsError, database_hosts, default_data_dir
from tikiwallet.identity.relying_party import RelyingParty


def mistakes(**env: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"HOME": "/home/kiri", **env})
    return caught.value.mistakes


def read(**env: str) -> Settings:
    return Settings.from_environment({"HOME": "/home/kiri", **env})


def test_defaults() -> None:
    settings = read()
    assert settings.data_dir == default_data_dir({"HOME": "/home/kiri"})
    assert settings.keys_dir == settings.data_dir / "keys"
    assert settings.ledger_socket == settings.data_dir / "run" / "ledger.sock"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.public_url == "http://localhost:8000"
    assert settings.embedded
    assert settings.sandbox
    assert settings.rate_limits
    assert settings == Settings(data_dir=settings.data_dir, keys_dir=settings.keys_dir)


@pytest.mark.parametrize(
    ("env", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.local/share/tikiwallet"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "linux", "/x/tikiwallet"),
        ({"HOME": "/h", "XDG_DATA_HOME": "x"}, "linux", "/h/.local/share/tikiwallet"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Application Support/TikiWallet"),
    ],
)
def test_default_data_dir(env: dict[str, str], platform: str, expected: str) -> None:
    assert default_data_dir(env, platform) == Path(expected)


def test_files(tmp_path: Path) -> None:
    places, providers = tmp_path / "places.mmdb", tmp_path / "oidc.toml"
    places.touch()
    providers.write_text('[mock]\nname = "Mock"\nissuer = "https://m.example"\nclient_id = "w"\n')
    providers.chmod(0o600)
    assert read(TIKIWALLET_PLACES_FILE=str(places)).places_file == places
    [line] = mistakes(TIKIWALLET_OIDC_FILE=str(providers))
    assert line.startswith(f"TIKIWALLET_OIDC_FILE: {providers}: [mock] lacks client_secret")
    with providers.open("a") as file:
        file.write('client_secret = "hidden"\n')
    settings = read(TIKIWALLET_OIDC_FILE=str(providers))
    assert [one.id for one in settings.issuers] == ["mock"]
    assert "hidden" not in repr(settings)
    for name in ("TIKIWALLET_PLACES_FILE", "TIKIWALLET_OIDC_FILE"):
        assert mistakes(**{name: str(tmp_path)}) == [f"{name}={tmp_path} is no file"]


def test_everything_set() -> None:
    settings = read(
        TIKIWALLET_DATA_DIR="/srv/tiki",
        TIKIWALLET_KEYS_DIR="/srv/keys",
        TIKIWALLET_PORT="9000",
        TIKIWALLET_DATABASE_URL="postgresql://app:secret@a:5432,b:5432/tikiwallet",
        TIKIWALLET_LEDGER_DATABASE_URL="postgresql://ledger:secret@a/tikiwallet",
        TIKIWALLET_MIGRATE_URL="postgres://owner:secret@a/tikiwallet",
        TIKIWALLET_REDIS_URL="redis://:secret@cache:6379/1",
        TIKIWALLET_PUBLIC_URL="https://wallet.example.org/",
        TIKIWALLET_RATE_LIMITS="off",
        TIKIWALLET_RECOVERY_HOURS="1",
        TIKIWALLET_HOT_ACCOUNTS="1000",
        TIKIWALLET_LEASE_MS="200",
        TIKIWALLET_LOG_LEVEL="DEBUG",
        TIKIWALLET_TRUSTED_PROXIES="127.0.0.1, 10.1.0.0/16 fd00::/8",
    )
    assert settings.data_dir == Path("/srv/tiki")
    assert settings.keys_dir == Path("/srv/keys")
    assert not settings.embedded
    assert settings.ledger_database_url == "postgresql://ledger:secret@a/tikiwallet"
    assert settings.public_url == "https://wallet.example.org"
    assert not settings.rate_limits
    assert settings.recovery_hours == 1
    assert (settings.hot_accounts, settings.lease_ms) == (1000, 200)
    assert settings.log_level == "debug"
    assert settings.trusted_proxies == (
        ip_network("127.0.0.1"),
        ip_network("10.1.0.0/16"),
        ip_network("fd00::/8"),
    )
    assert "secret" not in repr(settings)


def test_the_sandbox_is_for_this_machine_only() -> None:
    assert read(TIKIWALLET_PUBLIC_URL="http://127.0.0.1:8000").sandbox
    assert not read(
        TIKIWALLET_PUBLIC_URL="https://staging.example.org", TIKIWALLET_TRUSTED_PROXIES="::1"
    ).sandbox


def test_one_url_serves_all_roles() -> None:
    url = "postgresql://tiki@db/tikiwallet"
    settings = read(TIKIWALLET_DATABASE_URL=url)
    assert settings.ledger_database_url == settings.migrate_url == url


def test_nothing_means_not_set() -> None:
    assert read(TIKIWALLET_PORT="", TIKIWALLET_DATABASE_URL=" ") == read()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TIKIWALLET_PROT", "1", "TIKIWALLET_PROT is not a setting: did you mean TIKIWALLET_PORT?"),
        ("tikiwallet_port", "1", "did you mean TIKIWALLET_PORT?"),
        ("TIKIWALLET_DATABSE_URL", "x", "did you mean TIKIWALLET_DATABASE_URL?"),
        ("TIKIWALLET_ZZZZZZ", "x", "remove it"),
        ("TIKIWALLET_PORT", "0", "TIKIWALLET_PORT=0 is not a whole number from 1 to 65535"),
        ("TIKIWALLET_PORT", "65536", "from 1 to 65535"),
        ("TIKIWALLET_RECOVERY_HOURS", "721", "from 0 to 720"),
        ("TIKIWALLET_RECOVERY_HOURS", "-1", "from 0 to 720"),
        ("TIKIWALLET_PORT", "80.5", "from 1 to 65535"),
        ("TIKIWALLET_PORT", "²", "from 1 to 65535"),
        ("TIKIWALLET_PORT", "9" * 5000, "from 1 to 65535"),
        ("TIKIWALLET_LEASE_MS", "501", "from 50 to 500"),
        ("TIKIWALLET_HOT_ACCOUNTS", "-1", "whole number"),
        ("TIKIWALLET_RATE_LIMITS", "no", "use one of on, off"),
        ("TIKIWALLET_LOG_LEVEL", "loud", "use one of debug, info, warning, error"),
        ("TIKIWALLET_DATABASE_URL", "mysql://x/y", "must look like postgresql://"),
        ("TIKIWALLET_DATABASE_URL", "postgresql://", "must look like postgresql://"),
        ("TIKIWALLET_MIGRATE_URL", "postgresql://a/b", "TIKIWALLET_DATABASE_URL is not: set both"),
        ("TIKIWALLET_REDIS_URL", "http://cache", "must look like redis://"),
        ("TIKIWALLET_PUBLIC_URL", "wallet.example.org", "must look like https://"),
        ("TIKIWALLET_PUBLIC_URL", "http://wallet.example.org", "must begin with https://"),
        ("TIKIWALLET_PUBLIC_URL", "https://wallet.example.org/app", "scheme, host and port only"),
        ("TIKIWALLET_PUBLIC_URL", "https://a:99999", "must look like https://"),
        (
            "TIKIWALLET_PUBLIC_URL",
            "https://a.example",
            "share its address: name it in TIKIWALLET_TR",
        ),
        ("TIKIWALLET_PUBLIC_URL", "https://wallet..example", "is no name of a host"),
        ("TIKIWALLET_TRUSTED_PROXIES", "10.0.0.1, nginx", "nginx is no address or network"),
        ("TIKIWALLET_TRUSTED_PROXIES", "10.0.0.1/24", "10.0.0.1/24 is no address or network"),
        ("TIKIWALLET_TRUSTED_PROXIES", "::/0", "trusts everybody"),
        ("TIKIWALLET_DATABASE_URL", "postgresql://h:x/w", "a port that is not a number"),
        ("TIKIWALLET_DATA_DIR", "/dev/null", "is a file: give the path of a folder"),
        ("TIKIWALLET_DATA_DIR", "~no-such-person-here/x", "a home folder that does not exist"),
    ],
)
def test_a_mistake_is_one_line(name: str, value: str, says: str) -> None:
    [line] = mistakes(**{name: value})
    assert says in line
    assert "\n" not in line
    assert name in line


TWILIO = {
    "TIKIWALLET_TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "TIKIWALLET_TWILIO_AUTH_TOKEN": "hunter2" * 4,
    "TIKIWALLET_TWILIO_FROM": "+15005550006",
}


def test_twilio_ends_the_sandbox() -> None:
    settings = read(**TWILIO)
    assert settings.twilio is not None
    assert settings.twilio.url == "https://api.twilio.com"
    assert not settings.sandbox
    assert "hunter2" not in repr(settings)
    local = read(**TWILIO, TIKIWALLET_TWILIO_URL="http://127.0.0.1:4010/")
    assert local.twilio is not None
    assert local.twilio.url == "http://127.0.0.1:4010"


@pytest.mark.parametrize("sender", ["72345", "TikiWallet", "Tiki 2", "MG" + "0123456789abcdef" * 2])
def test_senders_at_twilio(sender: str) -> None:
    settings = read(**{**TWILIO, "TIKIWALLET_TWILIO_FROM": sender})
    assert settings.twilio is not None
    assert settings.twilio.sender == sender


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"TIKIWALLET_TWILIO_FROM": ""}, "TIKIWALLET_TWILIO_FROM must be set with"),
        ({"TIKIWALLET_TWILIO_AUTH_TOKEN": ""}, "TIKIWALLET_TWILIO_AUTH_TOKEN must be set with"),
        ({"TIKIWALLET_TWILIO_ACCOUNT_SID": "SM12"}, "AC and 32 hex digits"),
        ({"TIKIWALLET_TWILIO_AUTH_TOKEN": "h\u00fc"}, "characters that no token has"),
        ({"TIKIWALLET_TWILIO_FROM": "TikiWallet Payments"}, "a short code"),
        ({"TIKIWALLET_TWILIO_FROM": "12 34"}, "a short code"),
        ({"TIKIWALLET_TWILIO_URL": "http://sms.example.org"}, "must begin with https://"),
        ({"TIKIWALLET_RATE_LIMITS": "off"}, "TIKIWALLET_RATE_LIMITS=off is for load tests"),
        ({"TIKIWALLET_RECOVERY_HOURS": "0"}, "TIKIWALLET_RECOVERY_HOURS=0 is for the sandbox"),
    ],
)
def test_mistakes_about_twilio(change: dict[str, str], says: str) -> None:
    [line] = mistakes(**{**TWILIO, **change})
    assert says in line
    assert "hunter2" not in line


def test_all_mistakes_are_told_together() -> None:
    found = mistakes(TIKIWALLET_PORT="x", TIKIWALLET_LEASE_MS="x", TIKIWALLET_NOPE="x")
    assert len(found) == 3


def test_a_refused_proxy_is_not_told_to_be_missing_as_well() -> None:
    url = "https://wallet.example.org"
    [line] = mistakes(TIKIWALLET_PUBLIC_URL=url, TIKIWALLET_TRUSTED_PROXIES="x")
    assert line.startswith("TIKIWALLET_TRUSTED_PROXIES: x is no")


def test_passwords_are_not_repeated_in_mistakes() -> None:
    [line] = mistakes(TIKIWALLET_DATABASE_URL="postgre://a:hunter2@h/d")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "url", ["http://localhost:9000", "http://127.0.0.1:8000", "http://[::1]:8000"]
)
def test_loopback_needs_no_https(url: str) -> None:
    assert read(TIKIWALLET_PUBLIC_URL=url).public_url == url


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Wallet.Example.org:443/", "https://wallet.example.org"),
        ("HTTPS://wallet.example.org:8443", "https://wallet.example.org:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://[2001:DB8::7]", "https://[2001:db8::7]"),
        ("http://LOCALHOST:80", "http://localhost"),
    ],
)
def test_the_public_address_is_written_as_browsers_do(url: str, origin: str) -> None:
    settings = read(TIKIWALLET_PUBLIC_URL=url, TIKIWALLET_TRUSTED_PROXIES="127.0.0.1")
    assert settings.public_url == origin
    assert RelyingParty.of(origin).origin == origin


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql:///wallet", []),
        ("postgresql://ann:secret@one/wallet", [("one", None)]),
        ("postgresql://ann@one:5433/wallet?sslmode=require", [("one", 5433)]),
        ("postgresql://one:1,two,[::1]:3/wallet", [("one", 1), ("two", None), ("::1", 3)]),
        ("postgresql://[fd00::7]/wallet", [("fd00::7", None)]),
        ("postgresql://a:b@/w?host=%2Frun%2Fpg%3A1", [("/run/pg:1", None)]),
        ("postgresql://a:b@/w?host=/one,two:4", [("/one", None), ("two", 4)]),
        ("postgresql://a@/w?host=one,two,three&port=1,2", [("one", 1), ("two", 2), ("three", 2)]),
        ("postgresql://a@%2Frun%2Fx,%2Frun%2Fy/w", [("/run/x", None), ("/run/y", None)]),
    ],
)
def test_the_hosts_of_a_database(url: str, hosts: list[tuple[str, int | None]]) -> None:
    assert database_hosts(url) == hosts
    assert read(TIKIWALLET_DATABASE_URL=url).cluster == (len(hosts) > 1)

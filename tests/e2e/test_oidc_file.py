"""Providers of identities as an operator sets them up: a file, and `serve` says what is wrong."""

from tests.faults.installation import Installation
from tests.faults.wire import Line
from tests.providers.provider_process import provider_process

FILE = """
[mock]
name = "Mock"
issuer = "{issuer}"
client_id = "wallet"
client_secret = "hidden"
"""


async def test_a_file_with_a_mistake_is_told_before_anything_starts() -> None:
    installation = Installation.empty()
    try:
        path = installation.folder / "oidc.toml"
        path.write_text(FILE.format(issuer="http://sso.example"))
        path.chmod(0o600)
        installation.environment["TIKIWALLET_OIDC_FILE"] = str(path)
        status, text = await installation.command("serve")
        assert status == 2
        assert "[mock] issuer must begin with https://" in text
        assert "hidden" not in text
        assert not (installation.folder / "database").exists()
    finally:
        await installation.close()


async def test_serve_sends_people_to_the_provider() -> None:
    installation = Installation.empty()
    try:
        with provider_process() as issuer:
            path = installation.folder / "oidc.toml"
            path.write_text(FILE.format(issuer=issuer))
            path.chmod(0o600)
            installation.environment["TIKIWALLET_OIDC_FILE"] = str(path)
            await installation.start("serve").ready(installation.port)
            line = Line(installation.port)
            listed = await line.call("GET", "/v1/auth/oidc")
            assert listed.body == {"items": [{"provider": "mock", "name": "Mock"}]}
            sent = await line.call("GET", "/v1/auth/oidc/mock/start")
            assert sent.status == 303
            assert sent.headers["location"].startswith(f"{issuer}/oauth2/authorize?")
            await line.close()
        await installation.stop()
    finally:
        await installation.close()

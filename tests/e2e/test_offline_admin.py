"""`tikiwallet admin offline`: the issuer's next key, and limits as data."""

import json
from collections.abc import Iterator

import pytest
from tests.faults.installation import Installation
from tests.servers import run_apart


@pytest.fixture
def installation() -> Iterator[Installation]:
    installation = Installation.empty()
    try:
        yield installation
        run_apart(installation.stop())
    finally:
        print(installation.tail())  # noqa: T201
        run_apart(installation.close())


async def test_an_operator_sets_them(installation: Installation) -> None:
    await installation.start("serve").ready(installation.port)
    keys = installation.folder / "keys"
    status, said = await installation.command("admin", "offline", "rotate-issuer")
    assert (status, "issuer key 2 was made; signs from" in said) == (0, True), said
    status, said = await installation.command("admin", "offline", "rotate-issuer")
    assert (status, "issuer key 2 waits already" in said) == (0, True), said
    assert sorted(path.name for path in keys.glob("offline-*")) == [
        "offline-issuer-1.key", "offline-issuer-2.key", "offline-root.key",
    ]  # fmt: skip
    change = ("SGD", "0", "--payment", "300", "--pass", "900", "--hours", "24")
    status, said = await installation.command("admin", "offline", "limits", "set", *change)
    assert status == 0, said
    status, said = await installation.command("admin", "offline", "limits", "list")
    assert json.loads(said) == {
        "currency": "SGD", "tier": 0, "most_per_payment": 300, "most_per_pass": 900,
        "payments": 20, "hours": 24, "hops": 0,
    }  # fmt: skip
    status, said = await installation.command("admin", "offline", "limits", "reset", "SGD", "0")
    assert status == 0, said
    listing = ("limits", "list", "--currency", "SGD")
    status, said = await installation.command("admin", "offline", *listing)
    assert [json.loads(line)["tier"] for line in said.splitlines()] == [0, 1, 2]
    wrong = ("SGD", "0", "--payment", "901", "--pass", "900")
    status, said = await installation.command("admin", "offline", "limits", "set", *wrong)
    assert (status, "A payment is at most what a pass is" in said) == (1, True), said
    status, said = await installation.command("admin", "offline", "limits", "reset", "XXQ", "0")
    assert (status, "is not a currency code" in said) == (1, True), said

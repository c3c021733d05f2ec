"""`tikiwallet admin keys`: a rotation while the wallet serves, and one that is done already."""

from collections.abc import Iterator

import pytest
from tests.faults.crowd import sign_up
from tests.faults.installation import Installation
from tests.faults.wire import Line
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


async def test_keys_are_rotated_under_way(installation: Installation) -> None:
    await installation.start("serve").ready(installation.port)
    before = await sign_up(installation.port, 3)
    status, said = await installation.command("admin", "keys", "rotate")
    assert status == 0, said
    assert "data-2.key seals from now on" in said
    # A phone, a name and the address of a session of each.
    assert "9 values were sealed anew" in said
    after = await sign_up(installation.port, 1, first=3)
    line = Line(installation.port)
    for person in (*before, *after):
        me = await line.call("GET", "/v1/me", token=person.token)
        assert (me.status, me.body["phone"]) == (200, person.phone)
    await line.close()
    status, said = await installation.command("admin", "keys", "reseal")
    assert (status, said.splitlines()[-1]) == (0, "0 values were sealed anew")
    names = sorted(path.name for path in (installation.folder / "keys").glob("data-*.key"))
    assert names == ["data-1.key", "data-2.key"]
    assert "SealBroken" not in installation.tail()

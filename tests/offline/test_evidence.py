"""A conflict proves itself to strangers: in a process of its own, with nothing but the file."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.offline.settling import (
    Phone,
    World,
    close_item,
    item,
    void_item,
)

from tikiwallet.offline.claims import Brought
from tikiwallet.offline.evidence import DoesNotProve, verify
from tikiwallet.offline.wire.keys import PrivateKey

KINDS = ["sequence", "sum", "chain", "close", "two closes", "void", "void first", "void passed on"]


def contradiction(kind: str, payer: Phone, shop: Phone) -> list[Brought]:
    """Two uploads, in their order, that contradict each other."""
    clone = payer.clone()
    invites = [shop.invite(100), shop.invite(90), shop.invite(80)]
    first = item(invites[0], payer.pay(invites[0]))
    match kind:
        case "sequence":
            return [first, item(invites[1], clone.pay(invites[1]))]
        case "sum":
            clone.sequence += 2
            return [first, item(invites[1], clone.pay(invites[1]))]
        case "chain":
            clone.pay(invites[0], 100)
            clone.previous = b"x" * 32
            return [first, item(invites[1], clone.pay(invites[1]))]
        case "close":
            return [close_item(clone.close()), first]
        case "two closes":
            return [close_item(clone.close()), close_item(payer.close())]
        case "void passed on":
            pay = payer.pay(invites[2])
            naming_invite = payer.invite(10)
            naming = shop.pay(naming_invite, sources=[pay])
            void = void_item(invites[2], shop.void(invites[2]))
            return [item(invites[2], pay), item(naming_invite, naming), void]
        case _:
            pay = payer.pay(invites[2])
            void = void_item(invites[2], shop.void(invites[2]))
            both = [item(invites[2], pay, shop.receipt(pay)), void]
            return both[::-1] if kind == "void first" else both


async def prove(world: World, kind: str) -> dict[str, Any]:
    payer, shop = await world.phone(), await world.phone(100, hops=1)
    for brought in contradiction(kind, payer, shop):
        await world.settlement.settle(shop.person, [brought])
    [conflict] = await world.reports.conflicts()
    assert conflict["kind"] == kind.split(maxsplit=1)[0].replace("two", "close")
    assert conflict["frozen"]
    return await world.reports.evidence(conflict["id"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stranger_checks_it_with_one_command(
    world: World, kind: str, tmp_path: Path
) -> None:
    document = await prove(world, kind)
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps(document))
    root = world.issuer.root.public
    command = [sys.executable, "-m", "tikiwallet", "offline", "verify-evidence", str(file)]
    done = await asyncio.to_thread(
        subprocess.run, [*command, "--root", root.hex()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "signed twice" in done.stdout


async def test_what_proves_nothing_is_told(world: World) -> None:
    document = await prove(world, "sequence")
    root = world.issuer.root.public
    assert verify(document, root).kind == "sequence"
    assert verify(document).kind == "sequence"
    first, other = document["messages"]
    stranger = PrivateKey.generate().public
    spoilt: list[Any] = [
        {**document, "messages": [first, first]},
        {**document, "messages": [first]},
        {**document, "messages": [first, other[:-4] + "AAAA"]},
        {**document, "messages": [first, other[:-9]]},
        {**document, "conflict": "sum"},
        {**document, "conflict": "else"},
        {**document, "pass": document["keys"]},
        {**document, "root": stranger.hex()},
        {**document, "format": "else"},
        {key: value for key, value in document.items() if key != "keys"},
        [],
        None,
        7,
    ]
    for one in spoilt:
        with pytest.raises(DoesNotProve):
            verify(one)
    with pytest.raises(DoesNotProve, match="not signed by this root"):
        verify(document, stranger)

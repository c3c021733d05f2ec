"""What operators see of a fork: a clone pays two shops, and the commands tell the whole story."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import typer
from tests.offline.settling import World, item
from typer.testing import CliRunner

from tikiwallet import ids
from tikiwallet.offline.commands import Books, add_operator_commands, stranger_commands
from tikiwallet.offline.conflicts import Thawing

DAY = 24 * 3_600


async def told(world: World, *arguments: str) -> str:
    """What `tikiwallet admin offline` prints; it runs in a thread, its work in this loop."""
    loop = asyncio.get_running_loop()

    def run(work: Callable[[Books], Awaitable[None]]) -> None:
        async def carry_out() -> None:
            thawing = Thawing(world.stack.database, world.events)
            books = Books(world.reports, world.fund, thawing, world.debts, world.waiting)
            await work(books)

        asyncio.run_coroutine_threadsafe(carry_out(), loop).result()

    offline = typer.Typer()
    add_operator_commands(offline, run)
    done = await asyncio.to_thread(CliRunner().invoke, offline, list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


async def test_a_fork_from_filling_the_fund_to_the_proof(world: World, tmp_path: Path) -> None:
    for _ in range(2):
        await told(world, "fund-fill", "SGD", "5000", "--key", "2026-11")
    await told(world, "fund-cap", "SGD", "pass", "300")
    payer, shops = await world.phone(1_000), [await world.phone(0) for _ in range(2)]
    clone = payer.clone()
    for shop, cloned in zip(shops, (payer, clone), strict=True):
        invite = shop.invite(800)
        await world.settlement.settle(shop.person, [item(invite, cloned.pay(invite))])
    world.clock.advance(DAY + 10)
    await world.posting.recover_due()

    shown = await told(world, "conflicts")
    assert "signed twice: two different payments have the same sequence number" in shown
    assert "frozen" in shown
    assert "SGD 3.00" in shown  # what the fund paid of the second
    [conflict] = json.loads(await told(world, "conflicts", "--json"))
    assert [
        (one["payee"], one["from_escrow"], one["from_wallet"], one["from_fund"], one["state"])
        for one in conflict["payments"]
    ] == [
        (ids.write_id("p", shops[0].person), 800, 0, 0, "credited"),
        (ids.write_id("p", shops[1].person), 200, 0, 300, "partial"),
    ]
    [fund] = json.loads(await told(world, "fund", "--json"))
    names = ("balance", "paid", "owed_to_fund", "owed_to_people")
    assert [fund[name] for name in names] == [4_700, 300, 300, 300]
    assert fund["caps"]["pass"] == 300
    assert "SGD 47.00" in await told(world, "fund")
    exposure = json.loads(await told(world, "exposure", "--json"))
    assert exposure["claims"] == [
        {"currency": "SGD", "state": "partial", "payments": 1, "unpaid": 300}
    ]
    assert "partial" in await told(world, "exposure")
    person = ids.write_id("p", payer.person)
    [frozen] = json.loads(await told(world, "passes", "--person", person, "--frozen", "--json"))
    assert (frozen["settled"], frozen["revoked"]) == (1_000, "signed_twice")
    assert "signed_twice frozen" in await told(world, "passes", "--state", "open")

    owed = json.loads(await told(world, "debts", "--json"))
    assert [(one["creditor"], one["amount"], one["state"]) for one in owed] == [
        (ids.write_id("p", shops[1].person), 300, "open"),
        (None, 300, "open"),
    ]
    assert "written off" in await told(world, "write-off", str(owed[0]["id"]))
    shown = await told(world, "debts")
    assert "written_off" in shown
    assert "the fund" in shown

    await told(world, "thaw", frozen["device"])
    assert world.events.kinds == [
        "offline_device_frozen",
        "offline_debt_ended",
        "offline_device_thawed",
    ]
    assert await told(world, "passes", "--frozen", "--json") == "[]\n"

    file = tmp_path / "evidence.json"
    await told(world, "evidence", str(conflict["id"]), "--out", str(file))
    checked = CliRunner().invoke(stranger_commands(), ["verify-evidence", str(file)])
    assert checked.exit_code == 0
    assert world.issuer.root.public.hex() in checked.output  # to be compared


@pytest.mark.parametrize(
    ("text", "root", "words"),
    [
        ("{}", None, "it proves nothing"),
        ("nothing", None, "it cannot be checked"),
        ("{}", "00", "a root key has 66 hex digits"),
        ("{}", "x", "it cannot be checked"),
        (None, None, "it cannot be checked"),
    ],
)
def test_what_is_no_proof(tmp_path: Path, text: str | None, root: str | None, words: str) -> None:
    file = tmp_path / "evidence.json"
    if text is not None:
        file.write_text(text)
    more = [] if root is None else ["--root", root]
    done = CliRunner().invoke(stranger_commands(), ["verify-evidence", str(file), *more])
    assert done.exit_code == 1
    assert words in done.output

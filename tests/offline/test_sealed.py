"""Names and memos in signed messages are sealed where they are kept, and sealed anew."""

from tests.offline.settling import (
    CLAIM_SECONDS,
    PASS_SECONDS,
    Phone,
    World,
    close_item,
    item,
    void_item,
)

from tikiwallet.identity.resealing import reseal
from tikiwallet.identity.sealing import Sealing, add_key
from tikiwallet.offline.evidence import verify
from tikiwallet.offline.history import History
from tikiwallet.offline.sealed import DEVICE_NAME, SEALED

# Devices come into the model's world with no name that opens.
MESSAGES = [column for column in SEALED if column != DEVICE_NAME]


async def all_kinds(world: World) -> tuple[Phone, Phone]:
    """One of every message, and conflicts of payer and payee."""
    payer, shop = await world.phone(), await world.phone(0)
    clone = payer.clone()
    paid, twice, off = (shop.invite(amount) for amount in (100, 90, 80))
    pay, gone = payer.pay(paid), clone.pay(twice)
    late = payer.pay(off)
    for brought in (
        item(paid, pay, shop.receipt(pay)),
        item(twice, gone),
        item(off, late, shop.receipt(late)),
        void_item(off, shop.void(off)),
        close_item(payer.close()),
    ):
        await world.settlement.settle(shop.person, [brought])
    return payer, shop


async def proofs(world: World) -> list[str]:
    conflicts = await world.reports.conflicts()
    documents = [await world.reports.evidence(one["id"]) for one in conflicts]
    return sorted(verify(one, world.issuer.root.public).kind for one in documents)


async def test_no_name_nor_memo_is_in_a_row(world: World) -> None:
    await all_kinds(world)
    for table in ("device", "pass", "claim", "void", "conflict"):
        rows = await world.stack.database.fetch(
            f"SELECT t::text AS written FROM offline.{table} AS t"
        )
        assert rows
        for word in ("आशा", "कॉफ़ी"):
            assert not any(word.encode().hex() in row["written"] for row in rows)
    for column in MESSAGES:
        assert await world.stack.database.fetchval(
            f"SELECT count({column.column}) FROM {column.table}"
        )


async def test_what_was_sealed_is_sealed_anew_also_in_rows_that_are_final(world: World) -> None:
    payer, shop = await all_kinds(world)
    world.clock.advance(PASS_SECONDS + CLAIM_SECONDS + 120)
    while await world.returns.return_due():
        pass
    pages = [
        (await History(world.stack.database, world.personal.sealing).page(one.person))[0]
        for one in (payer, shop)
    ]
    found = await proofs(world)
    assert found == ["sequence", "sum", "void"]
    add_key(world.keys_dir)
    rotated = Sealing(world.keys_dir)
    assert await reseal(world.stack.database, rotated, MESSAGES) > 8
    assert await reseal(world.stack.database, rotated, MESSAGES) == 0
    (world.keys_dir / "data-1.key").unlink()
    assert await proofs(world) == found
    history = History(world.stack.database, Sealing(world.keys_dir))
    for phone, page in zip((payer, shop), pages, strict=True):
        shown, _ = await history.page(phone.person)
        assert shown == page
        assert {(one.name, one.memo) for one in shown} == {("आशा", "कॉफ़ी")}

"""What is remembered of wallets: facts, bounded, never what does not exist."""

from tests.wallets.stack import Stack

from tikiwallet import ids
from tikiwallet.money import CURRENCIES
from tikiwallet.wallets.directory import WalletDirectory, WalletFacts

SGD = CURRENCIES["SGD"]


async def test_a_miss_is_loaded_and_then_a_hit(stack: Stack) -> None:
    wallet, _ = await stack.wallets.open_wallet(7, SGD)
    directory = stack.directory
    assert directory.known(wallet.id) is None
    assert directory.wallet_of(7, SGD.number) is None
    facts = WalletFacts(wallet.id, 7, SGD.number)
    assert await directory.load([wallet.id, 99]) == {wallet.id: facts}
    assert directory.known(wallet.id) == facts
    assert directory.wallet_of(7, SGD.number) == wallet.id
    assert await directory.load([wallet.id]) == {wallet.id: facts}


async def test_what_is_loaded_can_be_paid_into(stack: Stack) -> None:
    """A wallet's row stands before its account does; whoever names it in between waits for both."""
    wallet = ids.new_id()
    await stack.database.execute(
        "INSERT INTO wallets.wallet (id, person, currency, created_at) VALUES ($1, 7, $2, now())",
        wallet,
        SGD.number,
    )
    assert wallet in await stack.directory.load([wallet])
    assert await stack.posted(wallet) == 0


async def test_memory_is_bounded_and_keeps_what_is_used(stack: Stack) -> None:
    directory = WalletDirectory(stack.wallets, capacity=4)
    opened = [(await stack.wallets.open_wallet(person, SGD))[0] for person in range(1, 7)]
    for wallet in opened:
        directory.remember(wallet)
        directory.known(opened[0].id)
    assert directory.known(opened[0].id) is not None
    assert sum(directory.known(wallet.id) is not None for wallet in opened) <= 4

"""What keeps the ledger, top-ups and messages going without being asked."""

from pathlib import Path

from tikiwallet.database.pool import Database
from tikiwallet.identity.housekeeping import prune
from tikiwallet.ledger.audit import Sealer
from tikiwallet.ledger.port import Ledger
from tikiwallet.notify.outbox import Outbox
from tikiwallet.payments.topups import TopUps
from tikiwallet.worker.expiry import Expiry
from tikiwallet.worker.schedule import Task


def upkeep_tasks(
    database: Database,
    ledger: Ledger,
    topups: TopUps,
    outbox: Outbox | None,
    *,
    keys_dir: Path,
    seal_rest: float,
) -> list[Task]:
    """The tasks, each safe in several processes at once. Sealing rests `seal_rest` times as long as
    it worked."""
    sealer = Sealer(database, keys_dir, rest=seal_rest)
    expiry = Expiry(database, ledger)

    async def seal() -> bool:
        await sealer.seal(await ledger.stable_n())
        return False

    async def recover() -> bool:
        return await topups.recover_due() > 0

    async def tidy() -> bool:
        await prune(database)
        if outbox is not None:
            await outbox.tidy()
        return False

    sending = [] if outbox is None else [Task("send messages", 1, outbox.deliver_due)]
    return [
        *sending,
        Task("seal", 1, seal),
        Task("expire holds", 1, expiry.sweep),
        Task("recover top-ups", 1, recover),
        Task("tidy", 3_600, tidy),
    ]

"""What happens to people's accounts without being asked: notices, numbers that change, closings."""

from tikiwallet.identity.parts import Identity
from tikiwallet.notify.notices import Notices
from tikiwallet.wallets.closing import Closing
from tikiwallet.worker.schedule import Task


def account_tasks(identity: Identity, notices: Notices, closing: Closing) -> list[Task]:
    """The tasks, each safe in several processes at once."""

    async def tidy() -> bool:
        await notices.prune()
        return await identity.account.closure.free_due()

    return [
        Task("make notices", 1, notices.follow),
        Task("change numbers", 5, identity.account.phone_change.carry_out_due),
        Task("close accounts", 5, closing.close_due),
        Task("free closed accounts", 3_600, tidy),
    ]

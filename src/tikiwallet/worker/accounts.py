"""What happens to people's accounts without being asked: notices, and numbers that change."""

from tikiwallet.identity.parts import Identity
from tikiwallet.notify.notices import Notices
from tikiwallet.worker.schedule import Task


def account_tasks(identity: Identity, notices: Notices) -> list[Task]:
    """The tasks, each safe in several processes at once."""

    async def tidy() -> bool:
        await notices.prune()
        return False

    return [
        Task("make notices", 1, notices.follow),
        Task("change numbers", 5, identity.account.phone_change.carry_out_due),
        Task("tidy notices", 3_600, tidy),
    ]

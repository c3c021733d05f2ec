"""What happens to offline money without being asked."""

from tikiwallet.offline.parts import Offline
from tikiwallet.worker.schedule import Task


def offline_tasks(offline: Offline) -> list[Task]:
    """The tasks, each safe in several processes at once."""
    settling = offline.settling
    return [
        Task("finish passes", 2, offline.passes.finish_due),
        Task("settle offline payments", 1, settling.posting.recover_due),
        Task("return passes", 5, settling.returns.return_due),
        Task("collect debts", 5, settling.debts.collect_due),
    ]

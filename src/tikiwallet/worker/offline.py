"""What happens to offline money without being asked."""

from tikiwallet.offline.parts import Offline
from tikiwallet.worker.schedule import Task


def offline_tasks(offline: Offline) -> list[Task]:
    """The tasks, each safe in several processes at once."""
    return [Task("finish passes", 2, offline.passes.finish_due)]

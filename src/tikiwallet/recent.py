"""What was used recently, kept in memory up to a bound."""

from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Remembers up to about `capacity` values, none of them None; the least recently used go first.

    In two halves: what is in use moves to the young one, and when that is full it becomes the old
    one, and the old one is gone whole. A hit in the young half needs no bookkeeping, so where each
    call counts ask `young.get(key)` first and `get` only when that has nothing. Look `young` up
    each time, and only read it.
    """

    __slots__ = ("_half", "_old", "young")

    def __init__(self, capacity: int) -> None:
        self._half = max(1, capacity // 2)
        self.young: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}

    def get(self, key: _Key) -> _Value | None:
        """What is remembered under `key`; None says that nothing is."""
        value = self.young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: _Key, value: _Value) -> None:
        """Remember `value`, in place of what was there."""
        if len(self.young) >= self._half and key not in self.young:
            self._old, self.young = self.young, {}
        self.young[key] = value

    def pop(self, key: _Key) -> _Value | None:
        """Forget what is under `key`, and return it."""
        old = self._old.pop(key, None)
        return self.young.pop(key, old)

    def clear(self) -> None:
        """Forget everything."""
        self.young, self._old = {}, {}

    def __len__(self) -> int:
        """How many values are held; one that came from the old half counts twice at first."""
        return len(self.young) + len(self._old)

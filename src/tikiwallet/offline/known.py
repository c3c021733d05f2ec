"""What a device knows of the issuer and of the time, without a network. Pure.

A device's time is the largest of its clock, the last time an issuer signed and the latest it has
seen: turning the clock back brings no expired pass back. Only the server itself sets it back.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from tikiwallet.offline.wire.messages import REVOKED_MOST, IssuerKeys, Pass, Revocations
from tikiwallet.offline.wire.trust import Trust

LISTS_MOST: Final = 6  # lists that are kept to be handed on: 5,400 passes, or the news of six syncs


@dataclass(frozen=True, slots=True)
class Known:
    """`root`: the pinned key. `keys`: the newest KEYS. `lists`: REVOCATIONS, a whole list and what
    followed it, the newest `LISTS_MOST` of them, kept to be handed on; `epoch`, `listed_at` (all
    that was revoked until then is in them) and `revoked` say what they come to.
    Times are seconds since 1970."""

    root: bytes
    keys: bytes
    lists: tuple[bytes, ...] = ()
    epoch: int = 0
    listed_at: int = 0
    revoked: tuple[bytes, ...] = ()
    signed_at: int = 0
    now: int = 0

    def at(self, clock: int) -> "Known":
        """The clock shows `clock`."""
        return replace(self, now=max(self.now, clock))

    def at_server(self, clock: int) -> "Known":
        """The server says that it is `clock`: a clock that once ran ahead is forgotten."""
        return replace(self, now=max(self.signed_at, clock))

    def signed(self, time: int) -> "Known":
        """An issuer's signature is of `time`, so it is at least that late."""
        return replace(self, now=max(self.now, time), signed_at=max(self.signed_at, time))

    def has_issued(self, message: Pass | Revocations) -> bool:
        """Did a key sign this that the root vouches for?"""
        return _trust(self.root, self.keys).has_issued(message)

    def has_revoked(self, holder: Pass) -> bool:
        """Is this pass on the list?"""
        return holder.id in self.revoked

    @property
    def news(self) -> tuple[bytes, ...]:
        """What other devices may not know yet; KEYS first, as they may vouch for the lists."""
        return (self.keys, *self.lists)

    @property
    def asks_since(self) -> int:
        """From which epoch to ask the service on: from the first, whose answer takes the place of
        all that follows it, when there are as many lists as are kept."""
        return 0 if len(self.lists) >= LISTS_MOST else self.epoch

    def learn(self, message: IssuerKeys | Revocations) -> "Known":
        """With newer keys or a newer list; the same when it is not newer, not the issuer's, or
        leaves a gap after the list that is known."""
        if isinstance(message, IssuerKeys):
            return self._with_keys(message)
        return self._with_list(message)

    def _with_keys(self, keys: IssuerKeys) -> "Known":
        if not Trust(self.root, IssuerKeys.parse(self.keys)).learn(keys):
            return self
        return replace(self, keys=keys.raw).signed(keys.time)

    def _with_list(self, news: Revocations) -> "Known":
        # A full list may go on in another, so it does not say what was revoked up to its time.
        is_whole = len(news.passes) < REVOKED_MOST
        fresher = is_whole and news.time > self.listed_at
        newer = news.epoch > self.epoch or (news.epoch == self.epoch and fresher)
        # The service was restored from a backup, and counts anew.
        set_back = news.epoch < self.epoch and news.since == 0 and fresher
        if not (newer or set_back) or news.time < self.listed_at or news.since > self.epoch:
            return self
        if not self.has_issued(news):
            return self
        earlier = (one for one in self.lists if Revocations.parse(one).since < news.since)
        kept = self.revoked if news.since or set_back else ()
        return replace(
            self,
            lists=(*earlier, news.raw)[-LISTS_MOST:],
            epoch=news.epoch,
            listed_at=news.time if is_whole else self.listed_at,
            revoked=tuple(sorted({*news.passes, *kept})),
        ).signed(news.time)


@lru_cache(maxsize=16)  # pure: the same root and keys trust the same
def _trust(root: bytes, keys: bytes) -> Trust:
    return Trust(root, IssuerKeys.parse(keys))

"""The issuer's keys: made once, kept private, changed without anybody being left behind."""

from pathlib import Path

import pytest
from tests.identity.hand_clock import HandClock

from tikiwallet.identity.keys import KeyFileError
from tikiwallet.offline import issuer as module
from tikiwallet.offline.issuer import AT_ONCE, TOLD_BEFORE, Issuer, add_issuer_key, issuer_keys
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import IssuerKeys, Revocations

HOUR = 3_600


class Office:
    """One issuer after another over one directory, with a clock moved by hand."""

    def __init__(self, keys_dir: Path) -> None:
        self.keys_dir = keys_dir
        self.clock = HandClock()
        self.issuer = self.opened()

    def opened(self) -> Issuer:
        return Issuer(self.keys_dir, self.clock, lambda: self.clock() / 1_000_000)

    @property
    def seconds(self) -> int:
        return self.clock() // 1_000_000

    def keys(self) -> IssuerKeys:
        """The list, whose signature holds."""
        told = IssuerKeys.parse(self.issuer.key_list())
        assert told.is_signed_by(PublicKey(self.issuer.root))
        return told

    def sign(self) -> Revocations:
        """Something that is dated now."""
        made = Revocations(epoch=1, since=0, time=self.seconds, passes=())
        return Revocations.parse(self.issuer.sign(made))

    def holds(self, told: IssuerKeys, message: Revocations) -> bool:
        """Does a device that has this list believe the message?"""
        return any(
            message.is_signed_by(one.key)
            for one in told.keys
            if one.kid == message.kid and one.not_before <= message.time <= one.not_after
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "keys")


def test_keys_are_made_once_and_private(office: Office) -> None:
    files = sorted(path.name for path in office.keys_dir.iterdir())
    assert files == ["offline-issuer-1.key", "offline-root.key"]
    assert {path.stat().st_mode & 0o777 for path in office.keys_dir.iterdir()} == {0o600}
    again = office.opened()
    assert again.root == office.issuer.root
    assert IssuerKeys.parse(again.key_list()).keys == office.keys().keys
    assert office.holds(office.keys(), office.sign())
    assert "to_bytes" not in repr(issuer_keys(office.keys_dir))


def test_a_rotation_leaves_nobody_behind(office: Office) -> None:
    before = office.keys()
    old = office.sign()
    key, made = add_issuer_key(office.keys_dir, office.clock())
    assert (key.number, made) == (2, True)
    assert add_issuer_key(office.keys_dir, office.clock())[1] is False
    office.clock.advance(10)  # another process hears of it
    told = office.keys()
    assert len(told.keys) == 2
    assert told.serial > before.serial
    assert office.sign().kid == old.kid
    office.clock.advance(TOLD_BEFORE)
    new = office.sign()
    assert new.kid != old.kid
    assert office.holds(told, new)  # also by who was last online 96 hours ago
    assert not office.holds(before, new)
    assert office.holds(office.keys(), old)
    # The old key signs no more: what it would date later is not believed.
    late = Revocations(epoch=1, since=0, time=office.seconds + 5, passes=())
    forged = Revocations.parse(late.sealed_by(issuer_keys(office.keys_dir)[0].key))
    assert not office.holds(office.keys(), forged)
    office.clock.advance(13 * 24 * HOUR)
    assert len(office.keys().keys) == 2
    office.clock.advance(2 * 24 * HOUR)
    assert len(office.keys().keys) == 1


def test_what_was_dated_before_a_rotation_is_signed_with_its_key(office: Office) -> None:
    """A pass that a crash left unsigned."""
    old = office.sign()
    add_issuer_key(office.keys_dir, office.clock())
    office.clock.advance(TOLD_BEFORE + 60)
    late = Revocations.parse(
        office.issuer.sign(Revocations(epoch=1, since=0, time=old.time, passes=()))
    )
    assert late.kid == old.kid
    assert office.holds(office.keys(), late)


def test_at_once(office: Office) -> None:
    waiting, _ = add_issuer_key(office.keys_dir, office.clock())
    now, made = add_issuer_key(office.keys_dir, office.clock(), at_once=True)
    assert made
    assert now.not_before < waiting.not_before
    office.clock.advance(AT_ONCE)
    assert office.sign().kid == office.keys().keys[1].kid
    office.clock.advance(TOLD_BEFORE)
    assert office.sign().kid == office.keys().keys[2].kid


def test_the_first_key_signs_at_once(tmp_path: Path) -> None:
    clock = HandClock()
    key, _ = add_issuer_key(tmp_path / "keys", clock())
    assert key.not_before == clock() // 1_000_000


def test_one_list_serves_for_a_while(office: Office) -> None:
    first = office.issuer.key_list()
    office.clock.advance(30)
    assert office.issuer.key_list() is first
    office.clock.advance(module._LIST_SECONDS)
    assert office.issuer.key_list() != first


@pytest.mark.parametrize("name", ["offline-root.key", "offline-issuer-1.key"])
@pytest.mark.parametrize("content", [b"", bytes(32), bytes(40), b"x" * 100])
def test_damaged_files_are_named(office: Office, name: str, content: bytes) -> None:
    (office.keys_dir / name).write_bytes(content)
    with pytest.raises(KeyFileError, match=name):
        office.opened()


def test_files_open_to_others_are_refused(office: Office) -> None:
    (office.keys_dir / "offline-root.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="open to others"):
        office.opened()

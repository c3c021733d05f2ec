"""Keys of devices: which are keys, that they never change, and how many there may be."""

import asyncio
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import sign_up

from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity.note_keys import (
    DEVICES_MAX,
    NoteKeyInvalid,
    NoteKeysFull,
    NoteKeyTaken,
    check_public_key,
)
from tikiwallet.identity.parts import Identity
from tikiwallet.notify.inbox import SandboxInbox


def x25519() -> bytes:
    return X25519PrivateKey.generate().public_key().public_bytes_raw()


def p256(form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, form)


@pytest.mark.parametrize("key", [x25519(), p256()], ids=["X25519", "P-256"])
def test_keys(key: bytes) -> None:
    check_public_key(key)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x04",
        bytes(32),
        b"\x01" + bytes(31),
        bytes(33),
        p256(PublicFormat.CompressedPoint),
        b"\x04" + bytes(64),
        b"\x04" + b"\x01" * 64,
        p256()[:-1] + b"\x00\x00",
        b"\x05" + p256()[1:],
    ],
    ids=range(10),  # not the bytes: keys are drawn anew in each process
)
def test_what_is_no_key(key: bytes) -> None:
    with pytest.raises(NoteKeyInvalid):
        check_public_key(key)


async def test_publishing_again_changes_only_the_name(
    identity: Identity, person: int, database: Database
) -> None:
    device, key = uuid4(), p256()
    await identity.note_keys.publish(person, device, key, "Chrome · Android")
    await identity.note_keys.publish(person, device, key, "My phone")
    with pytest.raises(NoteKeyTaken):
        await identity.note_keys.publish(person, device, p256(), "My phone")
    [kept] = await identity.note_keys.of_person(person)
    assert (kept.device, kept.public_key, kept.name) == (device, key, "My phone")
    assert "phone" not in str(await database.fetchval("SELECT k::text FROM identity.note_key k"))


async def test_nobody_takes_anothers_device(
    identity: Identity, inbox: SandboxInbox, person: int
) -> None:
    device, key = uuid4(), x25519()
    await identity.note_keys.publish(person, device, key, "phone")
    thief = (await sign_up(identity, inbox, "+6591234568", "eve"))[0].id
    with pytest.raises(NoteKeyTaken):
        await identity.note_keys.publish(thief, device, key, "phone")
    with pytest.raises(NotFound):
        await identity.note_keys.remove(thief, device)
    assert await identity.note_keys.owners([device, uuid4()]) == {device: person}
    await identity.note_keys.remove(person, device)
    with pytest.raises(NotFound):
        await identity.note_keys.remove(person, device)
    assert await identity.note_keys.of_person(person) == []


async def test_so_many_devices_even_at_once(
    identity: Identity, person: int, hand_clock: HandClock
) -> None:
    devices: list[UUID] = []

    async def publish() -> object:
        hand_clock.advance(1)
        devices.append(uuid4())
        return await identity.note_keys.publish(person, devices[-1], x25519(), "phone")

    answers = await asyncio.gather(
        *(publish() for _ in range(DEVICES_MAX + 5)), return_exceptions=True
    )
    assert sum(isinstance(answer, NoteKeysFull) for answer in answers) == 5
    kept = await identity.note_keys.of_person(person)
    assert len(kept) == DEVICES_MAX
    await identity.note_keys.publish(person, kept[0].device, kept[0].public_key, "again")

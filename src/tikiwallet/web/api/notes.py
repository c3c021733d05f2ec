"""Private notes: keys of devices, and ciphertexts that only those devices can read."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from tikiwallet import base64url, clock, ids
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity.note_keys import NAME_MAX, NoteKey
from tikiwallet.payments.notes import COPIES_MAX, COPY_MAX, Note
from tikiwallet.web.api import bodies
from tikiwallet.web.api.bodies import BASE64URL, Answer, Body, read_base64url
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1", tags=["notes"])

_KEY_LETTERS: Final = 87  # of 65 bytes
_COPY_LETTERS: Final = -(-COPY_MAX * 4 // 3)

DeviceId = Annotated[
    str, Field(pattern=bodies.UUID, examples=["0b5f1c1e-3c55-4d0e-9d1b-0a9a6f0f5f11"])
]
_DevicePath = Annotated[str, Path(pattern=bodies.UUID)]
_PaymentPath = Annotated[str, Path(pattern=bodies.UUID)]


class NoteKeyBody(Body):
    """A device's public key, base64url without padding: a P-256 point (65 bytes, uncompressed) or
    an X25519 key (32 bytes)."""

    public_key: Annotated[str, Field(pattern=BASE64URL, max_length=_KEY_LETTERS)]
    name: Annotated[
        str, Field(min_length=1, max_length=NAME_MAX, pattern="^[^\\u0000-\\u001f\\u007f]+$")
    ]


class NoteKeyAnswer(Answer):
    """A device that can read notes."""

    device_id: DeviceId
    public_key: str


class OwnNoteKeyAnswer(NoteKeyAnswer):
    """A device of one's own, by its name."""

    name: str
    created_at: str


class NoteKeysAnswer(Answer):
    """The devices of somebody else, oldest first."""

    items: list[NoteKeyAnswer]


class OwnNoteKeysAnswer(Answer):
    """One's own devices, oldest first."""

    items: list[OwnNoteKeyAnswer]


class CopyBody(Body):
    """The note as one device can read it: base64url without padding of up to 2 KB."""

    device_id: DeviceId
    data: Annotated[str, Field(min_length=1, max_length=_COPY_LETTERS, pattern=BASE64URL)]


class NoteBody(Body):
    """A note in a copy for each device; `from_device` is the one it was written on."""

    ciphertexts: Annotated[list[CopyBody], Field(min_length=1, max_length=COPIES_MAX)]
    from_device: DeviceId | None = None


class OneNoteAnswer(Answer):
    """A note's copy for the device that asked, and who wrote it."""

    data: str
    author: Annotated[str, Field(description="an @username")]
    from_device: DeviceId | None
    at: str


class NoteAnswer(OneNoteAnswer):
    """The newest note about a payment; `others` are those that other sides of it wrote."""

    others: list[OneNoteAnswer]


@router.put(
    "/me/note-keys/{device_id}",
    summary="Let others write private notes to this device",
    responses=problems(
        *TOKEN_CODES, *BODY_CODES, "note_key_invalid", "note_key_taken", "note_keys_full"
    ),
    openapi_extra=SIGNED_IN,
)
async def publish(
    device_id: _DevicePath, body: NoteKeyBody, principal: SignedIn, parts: WithParts
) -> OwnNoteKeyAnswer:
    """The key under an id never changes; sending it again changes the name."""
    key = await parts.identity.note_keys.publish(
        principal.person, UUID(device_id), read_base64url(body.public_key), body.name
    )
    return _own(key)


@router.get(
    "/me/note-keys",
    summary="Your devices that can read private notes",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def own_keys(principal: SignedIn, parts: WithParts) -> OwnNoteKeysAnswer:
    """Remove one that is lost: nobody writes to it any more."""
    keys = await parts.identity.note_keys.of_person(principal.person)
    return OwnNoteKeysAnswer(items=[_own(key) for key in keys])


@router.delete(
    "/me/note-keys/{device_id}",
    status_code=204,
    summary="Forget a device and what only it could read",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def remove(device_id: _DevicePath, principal: SignedIn, parts: WithParts) -> Response:
    """Nobody can make those copies readable again."""
    await parts.notes.remove_device(principal.person, UUID(device_id))
    return Response(status_code=204)


@router.get(
    "/people/{to}/note-keys",
    summary="The devices of somebody you had a payment with",
    responses=problems(*TOKEN_CODES, "not_found", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def keys_of(
    to: Annotated[str, Path(min_length=2, max_length=64, examples=["@mei.lin"])],
    principal: SignedIn,
    parts: WithParts,
) -> NoteKeysAnswer:
    """`to` is an @username. Strangers are told nothing, as if there were no such person."""
    keys = await parts.notes.keys_of(principal.person, to)
    return NoteKeysAnswer(
        items=[
            NoteKeyAnswer(device_id=str(key.device), public_key=base64url.write(key.public_key))
            for key in keys
        ]
    )


@router.put(
    "/payments/{id}/note",
    status_code=204,
    summary="Write your private note about a payment, or write it anew",
    responses=problems(
        *TOKEN_CODES, *BODY_CODES, "not_found", "note_device_unknown", "unavailable"
    ),
    openapi_extra=SIGNED_IN,
)
async def write(
    id: _PaymentPath, body: NoteBody, principal: SignedIn, parts: WithParts
) -> Response:
    """All copies or none. The payer may write to all who were paid, they only to the payer."""
    copies = {UUID(copy.device_id): read_base64url(copy.data) for copy in body.ciphertexts}
    if len(copies) < len(body.ciphertexts):
        raise InvalidRequest("/ciphertexts names a device twice")
    from_device = None if body.from_device is None else UUID(body.from_device)
    await parts.notes.write(principal.person, _raw(id), copies, from_device)
    return Response(status_code=204)


@router.get(
    "/payments/{id}/note",
    summary="The private notes about a payment, for one of your devices",
    responses=problems(*TOKEN_CODES, "not_found", "note_unreadable", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def read(
    id: _PaymentPath,
    principal: SignedIn,
    parts: WithParts,
    device_id: Annotated[str, Query(pattern=bodies.UUID)],
) -> NoteAnswer:
    """`note_unreadable`: there is one, written before this device was known."""
    newest, *others = await parts.notes.read(principal.person, _raw(id), UUID(device_id))
    return NoteAnswer(**_told(newest).model_dump(), others=[_told(note) for note in others])


@router.delete(
    "/payments/{id}/note",
    status_code=204,
    summary="Remove your own note about a payment",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def erase(id: _PaymentPath, principal: SignedIn, parts: WithParts) -> Response:
    """What the other side wrote stays."""
    await parts.notes.erase(principal.person, _raw(id))
    return Response(status_code=204)


def _own(key: NoteKey) -> OwnNoteKeyAnswer:
    return OwnNoteKeyAnswer(
        device_id=str(key.device),
        public_key=base64url.write(key.public_key),
        name=key.name,
        created_at=clock.write(key.created_at),
    )


def _told(note: Note) -> OneNoteAnswer:
    return OneNoteAnswer(
        data=base64url.write(note.data),
        author=f"@{note.author_name}",
        from_device=None if note.from_device is None else str(note.from_device),
        at=clock.write(note.at),
    )


def _raw(id: str) -> bytes:
    raw = ids.read_uuid(id)
    if raw is None:
        raise NotFound("There is no such payment, or it is not yours")
    return raw

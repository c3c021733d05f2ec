"""Offline money: devices, passes over escrow, and what devices must know of the issuer."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from tikiwallet import base64url, clock, ids
from tikiwallet.errors import NotFound
from tikiwallet.money import Money, currency
from tikiwallet.offline.admission import PassRequest
from tikiwallet.offline.devices import NAME_MAX
from tikiwallet.offline.exchange.purse import Tip
from tikiwallet.offline.records import (
    DEVICE_PREFIX,
    Device,
    Kind,
    PassRecord,
    PassState,
    Protection,
    Reason,
)
from tikiwallet.offline.wire.fields import UINT32_MAX
from tikiwallet.web.api.bodies import (
    BASE64URL,
    UUID,
    Answer,
    Body,
    CurrencyCode,
    MoneyAnswer,
    TransactionId,
    read_base64url,
    read_members,
)
from tikiwallet.web.idempotency import key_of
from tikiwallet.web.openapi import (
    BODY_CODES,
    IDEMPOTENCY_HEADER,
    KEY_CODES,
    REPLAYED_HEADER,
    SIGNED_IN,
    TOKEN_CODES,
    problems,
)
from tikiwallet.web.parts import SignedIn, WithParts
from tikiwallet.web.step_up import STEP_UP_CODES, SteppedUp

router = APIRouter(prefix="/v1/offline", tags=["offline"])

DEVICE_ID: Final = "^d_[0-9a-hjkmnp-tv-z]{13}$"
DeviceId = Annotated[str, Field(pattern=DEVICE_ID, examples=["d_01k3x0q9v7b2m"])]
_DevicePath = Annotated[str, Path(pattern=DEVICE_ID)]
_Name = Annotated[
    str, Field(min_length=1, max_length=NAME_MAX, pattern="^[^\\u0000-\\u001f\\u007f]+$")
]


class DeviceBody(Body):
    """A phone's keys are kept by `pin` or `passkey`, a terminal's in a `file`."""

    name: _Name
    kind: Literal["phone", "terminal"]
    protection: Literal["pin", "passkey", "file"]


class DeviceNameBody(Body):
    """What its owner calls a device."""

    name: _Name


class RevokeBody(Body):
    """Why a device is revoked."""

    reason: Literal["lost", "stolen", "replaced"]


class DeviceAnswer(Answer):
    """A device. Its limits follow from `tier`; `pseudonym` is what payee-locked passes name, and
    only a terminal has one."""

    id: DeviceId
    name: str
    kind: Kind
    protection: Protection
    tier: int
    pseudonym: str | None
    created_at: str
    last_sync_at: str | None
    revoked_at: str | None
    reason: Reason | None


class DevicesAnswer(Answer):
    """Oldest first, revoked ones among them."""

    items: list[DeviceAnswer]


class OfflineMoneyBody(Body):
    """`amount` in minor units; 0 for a pass that only receives."""

    amount: Annotated[int, Field(ge=0, le=UINT32_MAX, examples=[2500])]
    currency: CurrencyCode

    def to_money(self) -> Money:
        """Raises UnknownCurrency."""
        return Money(self.amount, currency(self.currency))


class PassBody(Body):
    """`key` is fresh for each pass: the compressed P-256 point that the device has made, in
    base64url. `proof` is its signature (r and s, 64 bytes, s in the lower half) over the UTF-8 text
    `tikiwallet/offline/1/key`, a zero byte, and the device's id."""

    device: DeviceId
    amount: OfflineMoneyBody
    key: Annotated[str, Field(pattern=BASE64URL, max_length=64)]
    proof: Annotated[str, Field(pattern=BASE64URL, max_length=128)]
    payee_lock: Annotated[str, Field(pattern=BASE64URL, max_length=16)] | None = None
    pin: Annotated[str, Field(pattern="^[0-9]{6}$")] | None = None


class TipAnswer(Answer):
    """The end of a pass's chain: the highest PAY that anybody has brought, or its CLOSE."""

    sequence: int
    hash: str
    cumulative: int


class PassAnswer(Answer):
    """`message` is the signed PASS, base64url, once there is one. `left` is what is in escrow;
    it returns to the wallet at `returns_at`. `tip` tells a device how far its chain is known here;
    null: no payment and no CLOSE is."""

    id: TransactionId
    device: DeviceId
    state: PassState
    amount: MoneyAnswer
    left: MoneyAnswer
    issued_at: str
    expires_at: str
    claim_until: str
    returns_at: str | None
    message: str | None
    tip: TipAnswer | None


class PassesAnswer(Answer):
    """Newest first."""

    items: list[PassAnswer]
    next_cursor: str | None


class KeysAnswer(Answer):
    """`root` is the public key (33 bytes) that signed `message`, a KEYS message; base64url."""

    root: str
    message: str


class RevocationsAnswer(Answer):
    """`message` is a REVOCATIONS message, base64url. `more`: ask again, with `since` = `epoch`."""

    epoch: int
    time: str
    message: str
    more: bool


@router.post(
    "/devices",
    status_code=201,
    summary="Set this device up for offline money",
    responses=problems(
        *STEP_UP_CODES, *BODY_CODES, "no_passkey", "offline_devices_full", "offline_device_frozen"
    ),
    openapi_extra=SIGNED_IN,
)
async def register(
    body: DeviceBody, principal: SteppedUp, parts: WithParts, response: Response
) -> DeviceAnswer:
    """What can pay without a network is set up by who has just shown who they are."""
    device = await parts.offline.devices.register(
        principal.person, body.name, Kind(body.kind), Protection(body.protection)
    )
    response.headers["Location"] = f"/v1/offline/devices/{device.written_id}"
    return _device(device)


@router.get(
    "/devices",
    summary="Your devices for offline money",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def devices(principal: SignedIn, parts: WithParts) -> DevicesAnswer:
    """Revoke one that is lost: what it pays is no longer accepted."""
    found = await parts.offline.devices.of_person(principal.person)
    return DevicesAnswer(items=[_device(device) for device in found])


@router.patch(
    "/devices/{id}",
    summary="Give a device another name",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def rename(
    id: _DevicePath, body: DeviceNameBody, principal: SignedIn, parts: WithParts
) -> DeviceAnswer:
    """Only you read it."""
    return _device(await parts.offline.devices.rename(principal.person, _device_id(id), body.name))


@router.post(
    "/devices/{id}/revoke",
    summary="Report a device lost, stolen or replaced",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def revoke(
    id: _DevicePath, body: RevokeBody, principal: SignedIn, parts: WithParts
) -> DeviceAnswer:
    """For good: its passes go on the revocation list, and what is left in them returns when nothing
    can be claimed any more. A device that was revoked before stays as it is."""
    reason = Reason(body.reason)
    return _device(await parts.offline.devices.revoke(principal.person, _device_id(id), reason))


@router.post(
    "/passes",
    status_code=201,
    summary="Move money into a pass, to pay without a network",
    responses={
        201: {"model": PassAnswer, "headers": REPLAYED_HEADER},
        **problems(
            *TOKEN_CODES, *BODY_CODES, *KEY_CODES, "not_found", "unknown_currency", "pass_open",
            "pass_too_large", "pass_key_invalid", "pass_proof_invalid", "pass_key_used",
            "offline_device_revoked", "offline_device_frozen", "pin_required", "pin_wrong",
            "pin_locked", "pin_not_set", "pin_malformed", "lower_limit", "too_many_requests",
            "insufficient_funds", "account_closed", "account_frozen", "overflow", "abandoned",
            "rejected", "overloaded",
        ),
    },
    openapi_extra={**SIGNED_IN, "parameters": [IDEMPOTENCY_HEADER]},
)  # fmt: skip
async def issue(
    body: PassBody, request: Request, principal: SignedIn, parts: WithParts, response: Response
) -> PassAnswer:
    """One with money at a time for each device and currency. The same request again is told the
    same message. A new one that only receives takes the place of the one before."""
    key = key_of(request.scope["headers"])
    read_members(await request.body())
    record, replayed = await parts.offline.passes.issue(
        PassRequest(
            person=principal.person,
            device=_device_id(body.device),
            money=body.amount.to_money(),
            public_key=read_base64url(body.key),
            proof=read_base64url(body.proof),
            payee_lock=None if body.payee_lock is None else read_base64url(body.payee_lock),
            pin=body.pin,
            key=key,
        )
    )
    response.headers["Location"] = f"/v1/offline/passes/{ids.write_uuid(record.id)}"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    [told] = await _passes(parts, [record])
    return told


@router.get(
    "/passes",
    summary="Your passes, newest first",
    responses=problems(*TOKEN_CODES, "bad_cursor", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def passes(
    principal: SignedIn,
    parts: WithParts,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> PassesAnswer:
    """Those of all your devices."""
    page, following = await parts.offline.passes.page(principal.person, cursor, limit)
    return PassesAnswer(items=await _passes(parts, page), next_cursor=following)


@router.get(
    "/passes/{id}",
    summary="One of your passes",
    responses=problems(*TOKEN_CODES, "not_found", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def one_pass(
    id: Annotated[str, Path(pattern=UUID)], principal: SignedIn, parts: WithParts
) -> PassAnswer:
    """As it is now."""
    raw = ids.read_uuid(id)
    if raw is None:
        raise NotFound("You have no such pass")
    [told] = await _passes(parts, [await parts.offline.passes.get(principal.person, raw)])
    return told


@router.get("/keys", summary="The issuer's keys, signed by the root", responses=problems())
async def keys(parts: WithParts) -> KeysAnswer:
    """Public: whoever checks a pass needs them. Pin the root; the keys change."""
    issuer = parts.offline.issuer
    return KeysAnswer(root=base64url.write(issuer.root), message=base64url.write(issuer.key_list()))


@router.get("/revocations", summary="Passes that were revoked, signed", responses=problems())
async def revocations(
    parts: WithParts, since: Annotated[int, Query(ge=0, le=UINT32_MAX)] = 0
) -> RevocationsAnswer:
    """Public. `since` is the epoch of the list that one has; 0 asks for all of it."""
    told = await parts.offline.revocations.since(since)
    return RevocationsAnswer(
        epoch=told.epoch,
        time=clock.write(told.at),
        message=base64url.write(told.message),
        more=told.more,
    )


async def _passes(parts: WithParts, records: list[PassRecord]) -> list[PassAnswer]:
    left = await parts.offline.passes.left(records)
    tips = await parts.offline.passes.tips(records)
    return [_pass(record, left[record.id], tips.get(record.id)) for record in records]


def _pass(record: PassRecord, left: int, tip: Tip | None) -> PassAnswer:
    claim_until = clock.write(record.claim_until)
    return PassAnswer(
        id=ids.write_uuid(record.id),
        device=ids.write_id(DEVICE_PREFIX, record.device),
        state=record.state_at(clock.now_us()),
        amount=MoneyAnswer.of(record.money),
        left=MoneyAnswer.of(Money(left, record.currency)),
        issued_at=clock.write(record.created_at),
        expires_at=clock.write(record.expires_at),
        claim_until=claim_until,
        returns_at=claim_until if record.escrow is not None else None,
        message=None if record.message is None else base64url.write(record.message),
        tip=None if tip is None else _tip(tip),
    )


def _tip(tip: Tip) -> TipAnswer:
    hash = base64url.write(tip.hash)
    return TipAnswer(sequence=tip.sequence, hash=hash, cumulative=tip.cumulative)


def _device(device: Device) -> DeviceAnswer:
    return DeviceAnswer(
        id=device.written_id,
        name=device.name,
        kind=device.kind,
        protection=device.protection,
        tier=device.tier,
        pseudonym=None if device.pseudonym is None else base64url.write(device.pseudonym),
        created_at=clock.write(device.created_at),
        last_sync_at=None if device.last_sync_at is None else clock.write(device.last_sync_at),
        revoked_at=None if device.revoked_at is None else clock.write(device.revoked_at),
        reason=device.reason,
    )


def _device_id(text: str) -> int:
    id = ids.read_id(DEVICE_PREFIX, text)
    if id is None:
        raise NotFound("You have no such device")
    return id

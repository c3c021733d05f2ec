"""Getting back in without the password, and stopping somebody else who tries."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, model_validator

from tikiwallet import clock
from tikiwallet.identity.codes import Delivery
from tikiwallet.identity.recovery import RecoveryInvalid
from tikiwallet.web.api.bodies import UUID, Answer, Body
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts, address_of, device_of
from tikiwallet.web.tokens_answer import RECEIVER_CODES, Receiver, SignedInAnswer

router = APIRouter(prefix="/v1", tags=["recovery"])

_Phone = Annotated[str, Field(min_length=1, max_length=40, examples=["+6591234567"])]
_Name = Annotated[str, Field(min_length=1, max_length=60, examples=["mei.lin"])]
_Password = Annotated[str, Field(min_length=1, max_length=1000)]
_Id = Annotated[str, Field(min_length=1, max_length=64)]
_Code = Annotated[str, Field(min_length=1, max_length=40, examples=["123456"])]


class BeginBody(Body):
    """The phone, which gets a code; or the username, for those whose number is gone."""

    phone: _Phone | None = None
    username: _Name | None = None

    @model_validator(mode="after")
    def _one(self) -> "BeginBody":
        if (self.phone is None) == (self.username is None):
            raise ValueError("either phone or username")
        return self


class BeginAnswer(Answer):
    """What the next step names; the same whether anybody has that phone or name. `delivery` says
    `on_its_way` while the provider of text messages is slow."""

    recovery_id: Annotated[str, Field(pattern=UUID)]
    delivery: Literal[Delivery.ON_ITS_WAY] | None = None


class ProveBody(Body):
    """The code of the text message. After a username: a code of the authenticator app or a recovery
    code; or the password, by those who have neither."""

    recovery_id: _Id
    code: _Code | None = None
    password: _Password | None = None

    @model_validator(mode="after")
    def _one(self) -> "ProveBody":
        if (self.code is None) == (self.password is None):
            raise ValueError("either code or password")
        return self


class ProveAnswer(Answer):
    """Keep `recovery_secret`: only with it the recovery can be completed, from `ready_at` on. With
    `second_factor` among `needs` a `factor_code` is needed as well, until `ready_without_at`."""

    recovery_secret: str
    ready_at: str
    needs: list[str]
    ready_without_at: str | None


class CompleteBody(Body):
    """The new password."""

    recovery_id: _Id
    recovery_secret: Annotated[str, Field(min_length=1, max_length=100)]
    password: _Password
    factor_code: _Code | None = None


class CancelBody(Body):
    """What stands behind the # of the link in the text message."""

    token: Annotated[str, Field(min_length=1, max_length=100)]


class RecoveryAnswer(Answer):
    """A recovery of your account under way, and where it was begun."""

    id: Annotated[str, Field(pattern=UUID)]
    begun_at: str
    ready_at: str
    device: str | None
    address: str | None


class RecoveriesAnswer(Answer):
    """Newest first; normally there are none."""

    items: list[RecoveryAnswer]


@router.post(
    "/auth/recovery",
    status_code=202,
    summary="Begin to recover an account",
    responses=problems(
        *BODY_CODES,
        "phone_invalid",
        "username_invalid",
        "too_many_requests",
        "phone_unreachable",
        "code_not_sent",
    ),
    response_model_exclude_none=True,
)
async def begin(body: BeginBody, request: Request, parts: WithParts) -> BeginAnswer:
    """Whether anybody has that phone or name is not told, neither by the answer nor by its time."""
    recovery = parts.identity.account.recovery
    address = address_of(request)
    if body.phone is None:
        return BeginAnswer(
            recovery_id=await recovery.begin_by_username(body.username or "", address)
        )
    id, delivery = await recovery.begin_by_phone(body.phone, address)
    slow = delivery is Delivery.ON_ITS_WAY
    return BeginAnswer(recovery_id=id, delivery=Delivery.ON_ITS_WAY if slow else None)


@router.post(
    "/auth/recovery/verify",
    summary="Prove that it is you; the waiting time begins",
    responses=problems(*BODY_CODES, "code_wrong", "code_expired", "overloaded"),
)
async def prove(body: ProveBody, parts: WithParts) -> ProveAnswer:
    """Every device that is signed in is told, and the phone gets a link to stop it."""
    proven = await parts.identity.account.recovery.prove(
        body.recovery_id, code=body.code, password=body.password
    )
    without = proven.ready_without_at
    return ProveAnswer(
        recovery_secret=proven.secret,
        ready_at=clock.write(proven.ready_at),
        needs=["second_factor"] if proven.needs_factor else [],
        ready_without_at=None if without is None else clock.write(without),
    )


@router.post(
    "/auth/recovery/complete",
    summary="Set a new password; all other sign-ins end",
    responses=problems(
        *BODY_CODES,
        *RECEIVER_CODES,
        "recovery_invalid",
        "recovery_not_ready",
        "recovery_factor_required",
        "code_wrong",
        "password_weak",
        "overloaded",
    ),
)
async def complete(
    body: CompleteBody, request: Request, receiver: Receiver, parts: WithParts
) -> SignedInAnswer:
    """You are signed in. For a day only small sums can be paid."""
    tokens = await parts.identity.account.recovery.complete(
        body.recovery_id,
        body.recovery_secret,
        body.password,
        body.factor_code,
        address=address_of(request),
        device=device_of(request),
    )
    return receiver.hand_over(tokens)


@router.post(
    "/auth/recovery/cancel",
    status_code=204,
    summary="Stop what a text message warned of: a recovery, or a change of number",
    responses=problems(*BODY_CODES, "recovery_invalid"),
)
async def cancel_by_link(body: CancelBody, parts: WithParts) -> Response:
    """For the page that the link in the message leads to."""
    account = parts.identity.account
    stopped = await account.recovery.cancel_by_link(body.token)
    if not stopped and not await account.phone_change.cancel_by_link(body.token):
        raise RecoveryInvalid("There is nothing to stop any more")
    return Response(status_code=204)


@router.get(
    "/me/recoveries",
    summary="Recoveries of your account that are under way",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def pending(principal: SignedIn, parts: WithParts) -> RecoveriesAnswer:
    """Stop what is not yours."""
    found = await parts.identity.account.recovery.pending(principal.person)
    return RecoveriesAnswer(
        items=[
            RecoveryAnswer(
                id=one.id,
                begun_at=clock.write(one.created_at),
                ready_at=clock.write(one.ready_at),
                device=one.device,
                address=one.address,
            )
            for one in found
        ]
    )


@router.delete(
    "/me/recoveries/{id}",
    status_code=204,
    summary="Stop a recovery of your account",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def cancel(
    id: Annotated[str, Path(pattern=UUID)], principal: SignedIn, parts: WithParts
) -> Response:
    """Whoever began it has to begin anew."""
    await parts.identity.account.recovery.cancel(principal.person, id, principal.session)
    return Response(status_code=204)

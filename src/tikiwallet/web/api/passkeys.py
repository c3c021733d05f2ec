"""Passkeys: signing in with one alone, and a person's own."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from tikiwallet import clock
from tikiwallet.errors import NotFound
from tikiwallet.identity.passkeys import NAME_MAX, Passkey
from tikiwallet.web.api.bodies import UUID, Answer, Body, NothingBody
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts, address_of, device_of
from tikiwallet.web.step_up import STEP_UP_CODES, SteppedUp
from tikiwallet.web.tokens_answer import RECEIVER_CODES, Receiver, SignedInAnswer

router = APIRouter(prefix="/v1", tags=["passkeys"])

Credential = Annotated[
    dict[str, Any],
    Field(
        description="What the browser's `PublicKeyCredential.toJSON()` gives "
        "(Web Authentication level 3, section 5.1)"
    ),
]
_PasskeyId = Annotated[str, Path(pattern="^k_[0-9a-hjkmnp-tv-z]{13}$")]
_Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX, examples=["Mei's phone"])]


class OptionsAnswer(Answer):
    """For `navigator.credentials`: give `public_key` to
    `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."""

    public_key: dict[str, Any]


class ChallengeAnswer(OptionsAnswer):
    """Options, and the challenge that they belong to."""

    challenge_id: Annotated[str, Field(pattern=UUID)]


class PasskeySignInBody(Body):
    """A passkey's answer to the options for this challenge."""

    challenge_id: Annotated[str, Field(min_length=1, max_length=64)]
    credential: Credential


class NewPasskeyBody(Body):
    """What a device made for the options, and what the person calls it."""

    name: _Name
    credential: Credential


class NameBody(Body):
    """What the person calls a passkey."""

    name: _Name


class PasskeyAnswer(Answer):
    """A passkey; `synced` when its maker says that a copy is kept elsewhere."""

    id: str
    name: str
    created_at: str
    last_used_at: str | None
    synced: bool

    @classmethod
    def of(cls, passkey: Passkey) -> "PasskeyAnswer":
        """`passkey` as JSON has it."""
        used = passkey.last_used_at
        return cls(
            id=passkey.text_id,
            name=passkey.name,
            created_at=clock.write(passkey.created_at),
            last_used_at=None if used is None else clock.write(used),
            synced=passkey.synced,
        )


@router.post(
    "/auth/passkey/options",
    tags=["auth"],
    summary="What to ask a passkey for, to sign in with it alone",
    responses=problems(*BODY_CODES, "too_many_requests"),
)
async def sign_in_options(
    _body: NothingBody, request: Request, parts: WithParts
) -> ChallengeAnswer:
    """Whichever passkey of this wallet the device has."""
    id, options = await parts.identity.passkey_sign_in.options(address_of(request))
    return ChallengeAnswer(challenge_id=id, public_key=options)


@router.post(
    "/auth/passkey",
    tags=["auth"],
    summary="Sign in with a passkey alone",
    responses=problems(*BODY_CODES, *RECEIVER_CODES, "passkey_invalid"),
)
async def sign_in(
    body: PasskeySignInBody, request: Request, receiver: Receiver, parts: WithParts
) -> SignedInAnswer:
    """The device has asked who is there, so no second factor follows."""
    return receiver.hand_over(
        await parts.identity.passkey_sign_in.sign_in(
            body.challenge_id, body.credential, address_of(request), device=device_of(request)
        )
    )


@router.post(
    "/me/passkeys/options",
    summary="What to ask a device for, to add a passkey",
    responses=problems(
        *STEP_UP_CODES, *BODY_CODES, "not_found", "passkeys_full", "too_many_requests"
    ),
    openapi_extra=SIGNED_IN,
)
async def adding_options(
    _body: NothingBody, principal: SteppedUp, parts: WithParts
) -> OptionsAnswer:
    """To be answered in the same session, within five minutes."""
    person = await parts.identity.people.person(principal.person)
    if person is None:
        raise NotFound("this person is gone")
    options = await parts.identity.passkeys.begin_adding(person, principal.session)
    return OptionsAnswer(public_key=options)


@router.post(
    "/me/passkeys",
    status_code=201,
    summary="Add a passkey",
    responses=problems(
        *TOKEN_CODES, *BODY_CODES, "passkey_invalid", "passkey_exists", "passkeys_full"
    ),
    openapi_extra=SIGNED_IN,
)
async def add(body: NewPasskeyBody, principal: SignedIn, parts: WithParts) -> PasskeyAnswer:
    """From now on the password alone does not sign in."""
    added = await parts.identity.passkeys.add(
        principal.person, principal.session, body.name, body.credential
    )
    return PasskeyAnswer.of(added)


@router.api_route("/me/passkeys/options", methods=["PATCH", "DELETE"], include_in_schema=False)
async def not_a_passkey() -> None:
    """Without this, the address would be read as that of a passkey called "options"."""
    raise HTTPException(405)


@router.patch(
    "/me/passkeys/{id}",
    summary="Rename a passkey",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def rename(
    id: _PasskeyId, body: NameBody, principal: SignedIn, parts: WithParts
) -> PasskeyAnswer:
    """On the device it keeps the name that was given there."""
    renamed = await parts.identity.passkeys.rename(principal.person, id, body.name)
    return PasskeyAnswer.of(renamed)


@router.delete(
    "/me/passkeys/{id}",
    status_code=204,
    summary="Remove a passkey",
    responses=problems(*STEP_UP_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def remove(id: _PasskeyId, principal: SteppedUp, parts: WithParts) -> Response:
    """The device may still offer it, but it opens nothing."""
    await parts.identity.second_factors.remove_passkey(principal.person, id)
    return Response(status_code=204)

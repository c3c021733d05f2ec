"""Routes of sensitive changes depend on `SteppedUp` in place of `SignedIn`."""

from typing import Annotated, Final

from fastapi import Depends

from tikiwallet.identity.tokens import Principal
from tikiwallet.web.openapi import TOKEN_CODES
from tikiwallet.web.parts import SignedIn, WithParts

STEP_UP_CODES: Final = (*TOKEN_CODES, "reauthentication_required")


async def stepped_up(principal: SignedIn, parts: WithParts) -> Principal:
    """The person who asks, confirmed in this session within ten minutes. Raises what `SignedIn`
    does, and ReauthenticationRequired."""
    await parts.identity.step_up.require(principal.session)
    return principal


SteppedUp = Annotated[Principal, Depends(stepped_up)]

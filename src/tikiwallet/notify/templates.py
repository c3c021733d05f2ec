"""The words of messages."""

from typing import assert_never

from tikiwallet.identity.codes import Purpose


def code_text(purpose: Purpose, code: str | None) -> str:
    """The text message for `purpose`. Raises ValueError when it lacks its code, or has one that it
    should not have."""
    if (code is None) != (purpose is Purpose.ALREADY_REGISTERED):
        raise ValueError(f"a message for {purpose} with the wrong kind of code")
    match purpose:
        case Purpose.REGISTER:
            return (
                f"{code} is your TikiWallet code. It works for 5 minutes. "
                "We never ask for it by phone or chat."
            )
        case Purpose.SECOND_FACTOR:
            return (
                f"{code} is your code to sign in to TikiWallet. It works for 5 minutes. If you are "
                "not signing in, somebody knows your password: change it."
            )
        case Purpose.ALREADY_REGISTERED:
            return (
                "Someone tried to register with your number at TikiWallet. You already have a "
                "wallet: sign in with your password. If this was not you, there is nothing to do."
            )
        case _:
            assert_never(purpose)

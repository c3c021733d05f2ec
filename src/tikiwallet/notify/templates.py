"""The words of messages."""

from typing import Final

from tikiwallet.identity.codes import WITHOUT_CODE, Purpose

_NEVER: Final = "We never ask for it by phone or chat."
_STOP: Final = "Not you? Stop it: {link}"
_TEXTS: Final[dict[Purpose, str]] = {
    Purpose.REGISTER: f"{{code}} is your TikiWallet code. It works for 5 minutes. {_NEVER}",
    Purpose.SECOND_FACTOR: (
        "{code} is your code to sign in to TikiWallet. It works for 5 minutes. If you are not "
        "signing in, somebody knows your password: change it."
    ),
    Purpose.STEP_UP: (
        "{code} confirms a change to how your TikiWallet is protected. It works for 5 minutes. If "
        "you are changing nothing, somebody has your phone or your sign-in: end it under Security."
    ),
    Purpose.ALREADY_REGISTERED: (
        "Someone tried to register with your number at TikiWallet. You already have a wallet: sign "
        "in with your password. If this was not you, there is nothing to do."
    ),
    Purpose.RECOVER: (
        "{code} is your TikiWallet code to recover your wallet. It works for 5 minutes. Whoever "
        f"has it can take your wallet: {_NEVER.lower()}"
    ),
    Purpose.RECOVER_UNKNOWN: (
        "Someone tried to recover a TikiWallet with your number, but there is none. If this was "
        "not you, there is nothing to do."
    ),
    Purpose.RECOVERY_BEGUN: f"A recovery of your TikiWallet has begun. {_STOP}",
    Purpose.RECOVERED: (
        "Your TikiWallet was recovered: it has a new password, and all other sign-ins have ended."
    ),
    Purpose.CHANGE_PHONE: (
        f"{{code}} confirms this number for your TikiWallet. It works for 5 minutes. {_NEVER}"
    ),
    Purpose.CHANGE_PHONE_TAKEN: (
        "Someone tried to move their TikiWallet to your number, which has a wallet of its own. If "
        "this was not you, there is nothing to do."
    ),
    Purpose.LEAVE_PHONE: (
        "Your TikiWallet is to move to another number. {code} confirms it at once, for 5 minutes. "
        f"{_STOP}"
    ),
    Purpose.PHONE_CHANGED: "Your TikiWallet has a new number.",
    Purpose.PASSWORD_CHANGED: (
        "The password of your TikiWallet was changed. Not you? Recover your wallet in the app."
    ),
    Purpose.PIN_RESET: (
        "The payment PIN of your TikiWallet was removed. Not you? Recover your wallet in the app."
    ),
    Purpose.CLOSED: "Your TikiWallet was closed. Your number is free again in 30 days.",
}


def code_text(purpose: Purpose, code: str | None, link: str | None = None) -> str:
    """The text message for `purpose`. Raises ValueError when it lacks its code or its link, or has
    one that it should not have."""
    text = _TEXTS[purpose]
    if (code is None) != (purpose in WITHOUT_CODE) or (link is None) != ("{link}" not in text):
        raise ValueError(f"a message for {purpose} with the wrong kind of code or link")
    return text.format(code=code, link=link)

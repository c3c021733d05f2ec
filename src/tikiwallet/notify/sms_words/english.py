"""Text messages in English."""

from typing import Final

from tikiwallet.identity.codes import Purpose

TEXTS: Final[dict[Purpose, str]] = {
    Purpose.REGISTER: (
        "{code} is your TikiWallet code. It works for 5 minutes. We never ask for it by phone or "
        "chat."
    ),
    Purpose.SECOND_FACTOR: (
        "{code} is your code to sign in to TikiWallet. It works for 5 minutes. If you are not "
        "signing in, somebody knows your password: change it."
    ),
    Purpose.STEP_UP: (
        "{code} confirms a change to your TikiWallet's security, for 5 minutes. Not you? Somebody "
        "has your phone or your sign-in: end it under Security."
    ),
    Purpose.ALREADY_REGISTERED: (
        "Someone tried to register with your number at TikiWallet. You already have a wallet: sign "
        "in with your password. If this was not you, there is nothing to do."
    ),
    Purpose.RECOVER: (
        "{code} is your code to recover your TikiWallet. It works for 5 minutes. Whoever has it "
        "can take your wallet: we never ask for it by phone or chat."
    ),
    Purpose.RECOVER_UNKNOWN: (
        "Someone tried to recover a TikiWallet with your number, but there is none. If this was "
        "not you, there is nothing to do."
    ),
    Purpose.RECOVERY_BEGUN: "A recovery of your TikiWallet has begun. Not you? Stop it: {link}",
    Purpose.RECOVERED: (
        "Your TikiWallet was recovered: it has a new password, and all other sign-ins have ended."
    ),
    Purpose.CHANGE_PHONE: (
        "{code} confirms this number for your TikiWallet. It works for 5 minutes. We never ask for "
        "it by phone or chat."
    ),
    Purpose.CHANGE_PHONE_TAKEN: (
        "Someone tried to move their TikiWallet to your number, which has a wallet of its own. If "
        "this was not you, there is nothing to do."
    ),
    Purpose.LEAVE_PHONE: (
        "{code} lets your TikiWallet move to another number at once (5 min). Not you? Stop it: "
        "{link}"
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

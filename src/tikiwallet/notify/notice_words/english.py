"""Notices in English."""

from typing import Final

from tikiwallet.notify.notice_words.words import Words

UNKNOWN: Final = {"device": "an unknown device", "address": "an unknown address"}
WORDS: Final[dict[str, Words]] = {
    "signed_in": Words(
        "New sign-in on {device}",
        "Someone signed in to your wallet on {device}, from {address}. If it was not you, end that "
        "session under Security and change your password.",
    ),
    "refresh_reused": Words(
        "A sign-in was ended",
        "A copy of one of your sign-ins was used on {device}, so that sign-in was ended. "
        "If you did not move your data to a new phone, change your password.",
    ),
    "password_changed": Words(
        "Password changed",
        "Your password was changed on {device}, and all other sign-ins were ended.",
    ),
    "pin_set": Words(
        "PIN set",
        "A payment PIN was set on {device}. If it was not you, reset it under Security and change "
        "your password.",
    ),
    "pin_changed": Words("PIN changed", "Your payment PIN was changed on {device}."),
    "pin_locked": Words(
        "PIN locked",
        "The PIN was wrong five times on {device}. Confirm who you are under Security to reset it.",
    ),
    "pin_reset": Words(
        "PIN reset",
        "Your payment PIN was removed on {device}. For a day only small sums can be paid.",
    ),
    "pin_threshold_changed": Words(
        "PIN limit changed",
        "The sum that can be paid without your PIN was changed on {device}.",
    ),
    "totp_on": Words("Authenticator app added", "It was set up on {device}."),
    "totp_off": Words("Authenticator app removed", "It was removed on {device}."),
    "sms_factor_on": Words("Codes by SMS on", "Signing in now asks for a code by SMS."),
    "sms_factor_off": Words(
        "Codes by SMS off", "Signing in no longer asks for a code by SMS, as chosen on {device}."
    ),
    "passkey_added": Words("Passkey added", "A passkey was added on {device}."),
    "passkey_removed": Words("Passkey removed", "A passkey was removed on {device}."),
    "recovery_codes_made": Words(
        "New recovery codes", "The former recovery codes no longer work. Made on {device}."
    ),
    "recovery_code_used": Words(
        "Recovery code used", "One of your recovery codes was used on {device}."
    ),
    "identity_linked": Words(
        "Sign-in linked", "Another account can now sign in to your wallet. Linked on {device}."
    ),
    "identity_unlinked": Words(
        "Sign-in unlinked", "A linked account can no longer sign in. Unlinked on {device}."
    ),
    "recovery_begun": Words(
        "Recovery begun",
        "Someone on {device}, at {address}, is recovering your wallet and can set a new password "
        "when the waiting time is over. If it is not you, stop it under Security now.",
    ),
    "recovery_cancelled": Words(
        "Recovery stopped", "It was stopped on {device}; nothing has changed."
    ),
    "recovery_completed": Words(
        "Wallet recovered",
        "A new password was set on {device} and all other sign-ins were ended. For a day only "
        "small sums can be paid.",
    ),
    "phone_change_asked": Words(
        "Change of number asked for",
        "On {device} someone asked to move your wallet to a number ending in {ends}. If it was not "
        "you, cancel it under Security and change your password.",
    ),
    "phone_change_begun": Words(
        "Your number will change",
        "Your wallet moves to the number ending in {ends} in {hours} hours. If you do not want "
        "that, cancel it under Security.",
    ),
    "phone_change_cancelled": Words("Change of number cancelled", "Your number stays as it is."),
    "phone_change_failed": Words(
        "Change of number failed", "That number has a wallet of its own by now. Yours stays."
    ),
    "phone_changed": Words(
        "Number changed",
        "Your wallet's number now ends in {ends}. For a day only small sums can be paid.",
    ),
    "offline_device_added": Words(
        "Device for offline money added",
        "On {device} a device was set up that can pay without internet. If it was not you, revoke "
        "it and change your password.",
    ),
    "offline_device_revoked": Words(
        "Device for offline money revoked",
        "It was revoked on {device}. Payments from it are no longer accepted; what is left returns "
        "to your wallet.",
    ),
    "offline_device_frozen": Words(
        "A device signed twice",
        "Your device signed two things that exclude each other. That happens when a phone was "
        "restored from a backup, or its key was copied. Until a person has looked at it, none "
        "of your devices gets more offline money, and no other can be set up. Paying online goes "
        "on as before. Whoever you paid is paid, from your wallet if need be.",
    ),
    "offline_device_thawed": Words(
        "Device for offline money works again",
        "A person has looked at it: unless another one is stopped, your devices can have offline "
        "money again. Its earlier passes "
        "stay ended; what is left of them returns to your wallet.",
    ),
    "offline_debt_begun": Words(
        "You owe money for offline payments",
        "An offline payment of yours was not covered in full, or you called it off after it was "
        "paid. You owe {amount}, which is taken from your wallet as money comes in. Until it is "
        "paid, your account cannot be closed.",
    ),
    "offline_debt_paid": Words(
        "Debt for offline payments paid",
        "{amount} that you owed was taken from your wallet. Nothing of that debt is open any more.",
    ),
    "offline_debt_ended": Words(
        "Debt for offline payments ended",
        "{amount} that you owed is not collected any more.",
    ),
    "exported": Words(
        "Account exported", "A copy of all your data was made on {device}, from {address}."
    ),
}

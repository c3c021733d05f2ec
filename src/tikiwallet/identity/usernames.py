"""Usernames: 3 to 30 of a-z, 0-9, `_` and `.`, starting with a letter; capitals mean the same."""

import re

from tikiwallet.errors import Problem

_FORM = re.compile(r"[a-z][a-z0-9_.]{2,29}", re.ASCII)

# Names that a reader would take for us, for staff, or for part of an address.
_RESERVED_WORDS = """
abuse account accounts admin administrator agent anonymous api audit bank billing bot cashier
compliance contact customer customerservice dev everyone finance fraud help helpdesk here info
kiosk ledger legal login logout mail me moderator money mod noreply no_reply no.reply
notify null official operator owner pay payment payments payout police postmaster press privacy
refund refunds register registration root sales sandbox security self service settlement shop
signin signup staff status superuser support sysadmin system team terminal terms tiki topup
topups treasury undefined unknown user verify wallet wallets webhook webmaster www
"""
RESERVED = frozenset(_RESERVED_WORDS.split())
_OURS = "tikiwallet"


class UsernameInvalid(Problem):
    code = "username_invalid"
    title = "A username has 3 to 30 of a-z, 0-9, _ and ., and starts with a letter"


class UsernameReserved(Problem):
    code = "username_reserved"
    title = "This username is reserved"


class UsernameTaken(Problem):
    code = "username_taken"
    title = "This username is taken"


def normalise(text: str) -> str:
    """The one form of a username, in small letters. Raises `UsernameInvalid`."""
    # Letters outside ASCII must not become ASCII by lowering (the Kelvin sign turns into k).
    name = text.lower() if text.isascii() else ""
    if not _FORM.fullmatch(name):
        raise UsernameInvalid
    return name


def check_free_to_choose(name: str) -> None:
    """Raises `UsernameReserved` when nobody may register the normalised `name`."""
    plain = name.replace(".", "").replace("_", "")
    if name in RESERVED or plain in RESERVED or plain.startswith(_OURS):
        raise UsernameReserved


def parse_mention(text: str) -> str | None:
    """The normalised name in `@name`, or None when `text` is something else or malformed."""
    written = text.strip()
    if not written.startswith("@"):
        return None
    try:
        return normalise(written[1:])
    except UsernameInvalid:
        return None

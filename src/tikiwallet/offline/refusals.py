"""Why a device does not go on: a closed list. Apps translate by the code; sentences are English."""

from enum import StrEnum, unique


@unique
class Refusal(StrEnum):
    """A member's value is its code, `sentence` says it to a person."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> "Refusal":
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    # What came in.
    UNREADABLE = "unreadable", "This could not be read. Ask the other side to show it again."
    NOT_EXPECTED = "not_expected", "This belongs to another step, or to another payment."
    UNKNOWN_ISSUER = (
        "unknown_issuer",
        "The other side's pass is not from this service, or this device has not been online"
        " for too long to know it.",
    )
    BAD_SIGNATURE = "bad_signature", "The signature is wrong. Do not go on with this payment."
    EXPIRED = "expired", "The other side's pass has expired. It has to go online for a new one."
    REVOKED = "revoked", "The other side's pass was called back. Do not go on with this payment."
    WRONG_CURRENCY = "wrong_currency", "The two passes are in different currencies."
    NUMBER_FORM = "number_form", "Type the whole number with its country code, such as +65."
    WRONG_NUMBER = "wrong_number", "That is not this person's number. Check it with them."
    OTHER_PAYEE = "other_payee", "This pass pays one payee only, and that is somebody else."
    SELF = "self", "Payer and payee are the same device."

    # What a payer may.
    OWN_EXPIRED = "own_expired", "Your pass has expired. Go online for a new one."
    OWN_REVOKED = "own_revoked", "Your pass was called back. Go online to see why."
    OWN_CLOSED = "own_closed", "You have ended this pass. Go online for a new one."
    SYNC_FIRST = "sync_first", "This device may have forgotten payments. Go online once first."
    PASS_LOST = (
        "pass_lost",
        "This device cannot tell any more what it has paid with this pass. Go online and report it"
        " as replaced; what is left returns by itself, and you can take a new one.",
    )
    UNFINISHED = "unfinished", "Another payment is not finished. Finish it or set it aside first."
    REQUEST_CHANGED = "request_changed", "You have paid this request, with another content."
    INVITE_OLD = (
        "invite_old",
        "This request is too old. Ask for a new one; if that is too old as well, one of the two"
        " clocks is wrong: set the date and time of both devices.",
    )
    NOT_ENOUGH = "not_enough", "There is not enough left on your pass."
    KEY_FAILED = "key_failed", "This device's key did not sign. Unlock it and try again."

    # What both count.
    OVER_LIMIT = "over_limit", "That is more than one payment from this pass may be."
    TOO_MANY = "too_many", "This pass has made all the payments it may."

    # What a payee takes.
    STALE_LIST = (
        "stale_list",
        "This device's list of revoked passes is too old. Go online, or meet somebody who was.",
    )
    NOT_MY_REQUEST = "not_my_request", "This payment answers no request of this device."
    WRONG_PAYEE = "wrong_payee", "This payment is for somebody else."
    WRONG_AMOUNT = "wrong_amount", "The amount is not the one you asked for."
    OVER_PASS = "over_pass", "The payer's pass does not hold as much as was paid with it."
    BROKEN_CHAIN = "broken_chain", "This payment does not follow from the payer's pass."
    CONFLICT = "conflict", "The payer has signed something else in this payment's place."
    PASSED_ON = "passed_on", "This money has been passed on more often than it may."
    ALREADY_PAID = "already_paid", "This request was paid already, by another payment."
    CANCELLED = "cancelled", "This request was cancelled."
    CANNOT_ASK = "cannot_ask", "This cannot be asked for: the amount or the memo does not fit."
    ASKED_ALREADY = "asked_already", "A request with this id was made before."

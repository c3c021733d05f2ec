"""Text messages by Twilio: one call to send, one to look for what was sent.

By hand over httpx: Twilio's own library is 780 modules for its other products, and brings two more
HTTP clients. The calls are Twilio's Messages resource of 2010-04-01: form fields under HTTP
Basic with the account's SID and token, JSON back. A 429 "is never processed" (their error 20429);
after a 5xx, or no answer, "it is possible for a customer to receive" the message (20500): nobody
knows, and there is no idempotency key.
"""

import email.utils
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from tikiwallet.notify.gateway import SmsNotTaken, SmsRefused, SmsUnsure

URL: Final = "https://api.twilio.com"
_CONNECT_SECONDS: Final = 4.0
_ANSWER_SECONDS: Final = 8.0
_SERVICE_LETTERS: Final = 34  # a name has at most 11
_LOOKED_AT: Final = 50  # messages to one number, newest first
_VALID_MAX: Final = 36_000  # seconds; Twilio's bounds of ValidityPeriod
_VALID_MIN: Final = 5
# Errors that come from whom a message is for: no number, none for text messages, a country that is
# not served, somebody who answered STOP.
_NUMBER_AT_FAULT: Final = frozenset(
    {21211, 21214, 21217, 21265, 21408, 21421, 21610, 21612, 21614, 21635}
)
_BEFORE_SENDING: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """`sender` is a number (+1...), a short code, a name, or a messaging service (MG...)."""

    sid: str
    token: str = field(repr=False)
    sender: str
    url: str = URL


class TwilioGateway:
    """Implements notify's SmsGateway."""

    def __init__(self, account: TwilioAccount, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._account = account
        self._path = f"/2010-04-01/Accounts/{account.sid}/Messages.json"
        self._client = httpx.AsyncClient(
            base_url=account.url,
            auth=(account.sid, account.token),
            timeout=httpx.Timeout(answer_seconds, connect=_CONNECT_SECONDS),
            # On a connection that Twilio had just closed nobody would know what was taken.
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=0),
            headers={"accept": "application/json", "user-agent": "tikiwallet"},
            trust_env=False,
        )

    async def send(self, to: str, text: str, valid_seconds: int) -> str:
        """As in `SmsGateway`."""
        sender = self._account.sender
        by_service = sender.startswith("MG") and len(sender) == _SERVICE_LETTERS
        form = {
            "To": to,
            "MessagingServiceSid" if by_service else "From": sender,
            "Body": text,
            "ValidityPeriod": str(max(_VALID_MIN, min(valid_seconds, _VALID_MAX))),
        }
        try:
            answer = await self._client.post(self._path, data=form)
        except _BEFORE_SENDING as error:
            raise SmsNotTaken(f"Twilio is not reached: {type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise SmsUnsure(f"Twilio did not answer: {type(error).__name__}") from None
        if answer.status_code == httpx.codes.CREATED:
            sid = _members(answer).get("sid")
            if not isinstance(sid, str):
                raise SmsUnsure("Twilio's answer names no message")
            return sid
        raise _problem(answer)

    async def find(self, to: str, text: str, since: datetime) -> str | None:
        """As in `SmsGateway`. An account on trial puts words of its own before `text`."""
        query = {"To": to, "PageSize": str(_LOOKED_AT)}
        try:
            answer = await self._client.get(self._path, params=query)
        except httpx.HTTPError as error:
            raise SmsNotTaken(f"Twilio is not reached: {type(error).__name__}") from None
        found = _members(answer).get("messages")
        if answer.status_code != httpx.codes.OK or not isinstance(found, list):
            raise SmsNotTaken(f"Twilio's list is not told: {answer.status_code}")
        for one in found:
            body, sid = one.get("body"), one.get("sid")
            if isinstance(body, str) and isinstance(sid, str) and text in body:
                created = _time(one.get("date_created"))
                if created is not None and created >= since:
                    return sid
        return None

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def _problem(answer: httpx.Response) -> Exception:
    """What an answer that is no success means."""
    status = answer.status_code
    code = _members(answer).get("code")
    number = code if isinstance(code, int) else 0
    reason = f"Twilio says {status}, {number or 'no code'}"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return SmsNotTaken(reason, _seconds(answer.headers.get("retry-after")))
    if answer.is_server_error or answer.is_success:
        return SmsUnsure(reason)
    return SmsRefused(reason, number_at_fault=number in _NUMBER_AT_FAULT)


def _members(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object; nothing when it is none."""
    try:
        members = answer.json()
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _time(written: object) -> datetime | None:
    """An RFC 2822 time, as Twilio writes them, in UTC."""
    if not isinstance(written, str):
        return None
    try:
        at = email.utils.parsedate_to_datetime(written)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() and len(header) < 6 else None

"""What the outbox needs of an SMS provider; `providers` implements it."""

from datetime import datetime
from typing import Protocol


class SmsRefused(Exception):
    """The provider will not take this message, however often it is asked; `number_at_fault` when
    that is because of whom it is for, and not because of us."""

    def __init__(self, reason: str, *, number_at_fault: bool) -> None:
        super().__init__(reason)
        self.number_at_fault = number_at_fault


class SmsNotTaken(Exception):
    """The provider has certainly not taken the message (it was not reached, or said that it is
    busy); it may be asked again after `retry_after` seconds, if it named a time."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SmsUnsure(Exception):
    """Nobody knows whether the provider has taken the message."""


class SmsGateway(Protocol):
    """Sends text messages. Neither call takes longer than some seconds."""

    async def send(self, to: str, text: str, valid_seconds: int) -> str:
        """The provider's id of a message to the E.164 number `to` that it has taken, and will drop
        if it cannot deliver it within `valid_seconds`. Raises `SmsRefused`, `SmsNotTaken`,
        `SmsUnsure`."""
        ...

    async def find(self, to: str, text: str, since: datetime) -> str | None:
        """The provider's id of a message with `text` that it has taken `since` then. Raises
        `SmsNotTaken` when it cannot be asked."""
        ...

"""The sandbox's SMS provider: messages stay in a table, where the developer reads them.

Only here are codes kept in clear; with a real provider this module is not in use.
"""

from collections.abc import Callable
from typing import TypedDict

from tikiwallet import clock
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.identity.codes import Delivery, Purpose
from tikiwallet.notify.templates import code_text

KEPT_PER_PHONE = 20


class InboxMessage(TypedDict):
    """One message as `/dev/inbox` shows it; `sent_at` in RFC 3339, UTC."""

    to: str
    text: str
    code: str | None
    sent_at: str


class SandboxInbox:
    """Implements `identity.codes.CodeSender`; keeps the newest messages of each phone."""

    def __init__(self, database: Database, now: Callable[[], int] = clock.now_us) -> None:
        self._database = database
        self._now = now

    async def send_code(
        self,
        phone: str,
        code: str | None,
        purpose: Purpose,
        *,
        language: str,
        link: str | None = None,
    ) -> Delivery:
        """Put the message into the inbox of `phone` (E.164)."""
        async with self._database.transaction() as connection:
            await self._put(connection, phone, code_text(purpose, code, language, link), code)
        return Delivery.SENT

    async def queue_notice(
        self,
        connection: AnyConnection,
        phone: str,
        purpose: Purpose,
        *,
        language: str,
        link: str | None = None,
    ) -> None:
        """Put the message there when the caller's database transaction commits."""
        await self._put(connection, phone, code_text(purpose, None, language, link), None)

    async def _put(
        self, connection: AnyConnection, phone: str, text: str, code: str | None
    ) -> None:
        await connection.execute(
            "INSERT INTO notify.message (to_phone, text, code, sent_at) VALUES ($1, $2, $3, $4)",
            phone,
            text,
            code,
            clock.from_us(self._now()),
        )
        await connection.execute(
            """
            DELETE FROM notify.message WHERE to_phone = $1 AND id <= (
                SELECT id FROM notify.message WHERE to_phone = $1
                ORDER BY id DESC OFFSET $2 LIMIT 1
            )
            """,
            phone,
            KEPT_PER_PHONE,
        )

    async def messages(self, phone: str, limit: int = KEPT_PER_PHONE) -> list[InboxMessage]:
        """What `phone` would have received, newest first, up to `limit`. A plus that a query
        string has turned into a space, or that is missing, is put back."""
        rows = await self._database.fetch(
            """
            SELECT to_phone, text, code, sent_at FROM notify.message
            WHERE to_phone = $1 ORDER BY id DESC LIMIT $2
            """,
            "+" + phone.strip().removeprefix("+"),
            max(0, limit),
        )
        return [
            InboxMessage(
                to=row["to_phone"],
                text=row["text"],
                code=row["code"],
                sent_at=clock.write(row["sent_at"]),
            )
            for row in rows
        ]

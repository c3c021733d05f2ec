"""Removes what identity no longer needs. A schedule calls it about once an hour."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity import familiar

# Ended sessions are kept for questions about who was signed in.
KEEP_SESSIONS = timedelta(days=90)
# Rows deleted at once: few enough for the time that one statement has, however many strangers left.
SLICE: Final = 5_000

# (table, when a row of it has run out, how much longer it is kept)
_KEPT: Final = (
    ("identity.registration", "expires_at", timedelta(hours=1)),
    ("identity.reservation", "expires_at", timedelta(hours=1)),
    ("identity.code", "expires_at", timedelta(hours=1)),
    ("identity.oidc_start", "expires_at", timedelta(hours=1)),
    ("identity.oidc_ticket", "expires_at", timedelta(hours=1)),
    # No limit counts for longer than a day.
    ("identity.attempt", "last_at", timedelta(days=2)),
    ("identity.challenge", "expires_at", timedelta(hours=1)),
    ("identity.ceremony", "expires_at", timedelta(0)),
    ("identity.totp_draft", "expires_at", timedelta(0)),
    ("identity.familiar_place", "last_at", familiar.KEEP),
    ("identity.revocation", "until", timedelta(hours=1)),
    ("identity.session", "expires_at", KEEP_SESSIONS),
    # Recoveries that were never proven, and those that nobody completed.
    ("identity.recovery", "expires_at", timedelta(days=30)),
    (
        "identity.phone_change",
        "CASE WHEN new_proven_at IS NULL THEN expires_at END",
        timedelta(hours=1),
    ),
    # Every process has heard of it within seconds.
    ("identity.payer_change", "at", timedelta(days=1)),
    ("identity.restricted_pay", "at", timedelta(days=30)),
    # A used token is kept while it could come back; after that it is unknown, and refused as such.
    ("identity.refresh", "expires_at", timedelta(days=1)),
)


async def prune(
    database: Database, now: Callable[[], int] = clock.now_us, slice: int = SLICE
) -> None:
    """Delete what has run out; safe to call at any time, from several processes."""
    at = clock.from_us(now())
    for table, column, keep in _KEPT:
        # A row that was used again meanwhile has moved or holds a later time: it stays.
        statement = f"""
            DELETE FROM {table} WHERE {column} < $1
                AND ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {column} < $1 LIMIT $2))
        """  # noqa: S608 - the names above
        while await database.execute(statement, at - keep, slice) == f"DELETE {slice}":
            pass

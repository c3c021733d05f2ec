"""Removes what identity no longer needs. A schedule calls it about once an hour."""

from collections.abc import Callable
from datetime import timedelta

from tikiwallet import clock
from tikiwallet.database.pool import Database
from tikiwallet.identity import familiar

# Ended sessions are kept for questions about who was signed in.
KEEP_SESSIONS = timedelta(days=90)

_STATEMENTS = (
    ("DELETE FROM identity.registration WHERE expires_at < $1", timedelta(hours=1)),
    ("DELETE FROM identity.reservation WHERE expires_at < $1", timedelta(hours=1)),
    ("DELETE FROM identity.code WHERE expires_at < $1", timedelta(hours=1)),
    ("DELETE FROM identity.oidc_start WHERE expires_at < $1", timedelta(hours=1)),
    ("DELETE FROM identity.oidc_ticket WHERE expires_at < $1", timedelta(hours=1)),
    # No limit counts for longer than a day.
    ("DELETE FROM identity.attempt WHERE last_at < $1", timedelta(days=2)),
    ("DELETE FROM identity.challenge WHERE expires_at < $1", timedelta(hours=1)),
    ("DELETE FROM identity.ceremony WHERE expires_at < $1", timedelta(0)),
    ("DELETE FROM identity.totp_draft WHERE expires_at < $1", timedelta(0)),
    ("DELETE FROM identity.familiar_place WHERE last_at < $1", familiar.KEEP),
    ("DELETE FROM identity.revocation WHERE until < $1", timedelta(hours=1)),
    ("DELETE FROM identity.session WHERE expires_at < $1", KEEP_SESSIONS),
    # Recoveries that were never proven, and those that nobody completed.
    ("DELETE FROM identity.recovery WHERE expires_at < $1", timedelta(days=30)),
    (
        "DELETE FROM identity.phone_change WHERE expires_at < $1 AND new_proven_at IS NULL",
        timedelta(hours=1),
    ),
    # Every process has heard of it within seconds.
    ("DELETE FROM identity.payer_change WHERE at < $1", timedelta(days=1)),
    ("DELETE FROM identity.restricted_pay WHERE at < $1", timedelta(days=30)),
    # A used token is kept while it could come back; after that it is unknown, and refused as such.
    ("DELETE FROM identity.refresh WHERE expires_at < $1", timedelta(days=1)),
)


async def prune(database: Database, now: Callable[[], int] = clock.now_us) -> None:
    """Delete what has run out; safe to call at any time, from several processes."""
    at = clock.from_us(now())
    for statement, keep in _STATEMENTS:
        await database.execute(statement, at - keep)

"""What a process has of the outside world: ways to send messages, providers of identities, Redis.

A part of the wiring, for `app.py`. Libraries are imported when something real is set.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from tikiwallet.config import Settings
from tikiwallet.database.pool import Database
from tikiwallet.identity.federation import IdentityProvider
from tikiwallet.identity.keys import load_server_secret
from tikiwallet.identity.sealing import Sealing
from tikiwallet.notify.outbox import Outbox
from tikiwallet.web.rate_counters import RateCounters, SharedCounters


@dataclass(frozen=True, slots=True)
class Outside:
    """`outbox`: None as long as the sandbox keeps messages; `rates`: None when limits are
    lifted."""

    providers: Mapping[str, IdentityProvider] = field(default_factory=dict)
    outbox: Outbox | None = None
    rates: RateCounters | None = None


NOTHING_OUTSIDE: Final = Outside()


@asynccontextmanager
async def open_outside(settings: Settings, database: Database) -> AsyncIterator[Outside]:
    """All that these settings name, until the block ends."""
    async with AsyncExitStack() as stack:
        providers = await stack.enter_async_context(_open_providers(settings))
        outbox = await stack.enter_async_context(open_outbox(settings, database))
        rates = None
        if settings.rate_limits:
            key = load_server_secret(settings.keys_dir).subkey("rates")
            rates = RateCounters(key, _shared_counters(settings))
            stack.push_async_callback(rates.close)
        yield Outside(providers, outbox, rates)


def _shared_counters(settings: Settings) -> SharedCounters | None:
    if settings.redis_url is None:
        return None
    from tikiwallet.web.redis_counters import RedisCounters

    return RedisCounters(settings.redis_url)


@asynccontextmanager
async def open_outbox(settings: Settings, database: Database) -> AsyncIterator[Outbox | None]:
    """The way of messages to a real provider; None as long as the sandbox keeps them."""
    if settings.twilio is None:
        yield None
        return
    from tikiwallet.providers.twilio import TwilioAccount, TwilioGateway

    twilio = settings.twilio
    gateway = TwilioGateway(
        TwilioAccount(twilio.account_sid, twilio.auth_token, twilio.sender, twilio.url)
    )
    outbox = Outbox(database, Sealing(settings.keys_dir), gateway)
    try:
        yield outbox
    finally:
        await outbox.stop()
        await gateway.close()


@asynccontextmanager
async def _open_providers(settings: Settings) -> AsyncIterator[dict[str, IdentityProvider]]:
    """The providers of identities that these settings name."""
    if not settings.issuers:
        yield {}
        return
    from tikiwallet.providers.oidc import OidcProvider, open_client

    async with open_client() as http:
        yield {
            one.id: OidcProvider(one, f"{settings.public_url}/v1/auth/oidc/{one.id}/callback", http)
            for one in settings.issuers
        }

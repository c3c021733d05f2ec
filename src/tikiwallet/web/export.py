"""A person's whole account as one JSON document, written while it is read: a long history takes no
more memory than a short one. Each section comes from the package that owns the data.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeAlias

from tikiwallet import base64url, clock, ids
from tikiwallet.ledger.transactions import Kind, LegType
from tikiwallet.money import BY_NUMBER
from tikiwallet.offline.records import DEVICE_PREFIX
from tikiwallet.wallets.wallets import Wallet
from tikiwallet.web.parts import Parts

Rows: TypeAlias = AsyncIterator[dict[str, Any]]
Section: TypeAlias = tuple[str, Callable[[Parts, int], Rows]]
_PAGE: Final = 100


async def write(parts: Parts, person: int) -> AsyncIterator[bytes]:
    """The document in pieces: `person` as an object, every other section as a list. Raises
    `Unavailable`, in the middle of the document if it must."""
    about = await _person(parts, person)
    yield b'{"exported_at":%b,"person":%b' % (
        _json(clock.rfc3339(clock.now_us())),
        _json(about),
    )
    for name, rows in SECTIONS:
        yield b',"%b":[' % name.encode()
        first = True
        async for row in rows(parts, person):
            yield (b"\n" if first else b",\n") + _json(row)
            first = False
        yield b"]"
    yield b"}\n"


async def _person(parts: Parts, person: int) -> dict[str, Any]:
    found = await parts.identity.people.person(person)
    if found is None:
        return {}
    return {
        "id": found.text_id,
        "phone": found.phone,
        "username": found.username,
        "display_name": found.display_name,
        "created_at": clock.write(found.created_at),
        "language": found.language,
        "home_currency": BY_NUMBER[found.home_currency].code,
        "pin_threshold_sgd": found.pin_threshold,
        "notices": {"payments": found.notice_payments, "news": found.notice_news},
    }


async def _sessions(parts: Parts, person: int) -> Rows:
    for one in await parts.identity.sessions.of(person):
        yield {
            "id": ids.write_uuid(one.id),
            "device": one.device,
            "address": one.address,
            "method": one.method,
            "created_at": clock.write(one.created_at),
            "last_seen_at": clock.write(one.last_seen_at),
        }


async def _identities(parts: Parts, person: int) -> Rows:
    for one in await parts.identity.federation.of(person):
        yield {"name": one.name, "linked_at": clock.write(one.linked_at)}


async def _passkeys(parts: Parts, person: int) -> Rows:
    for one in await parts.identity.passkeys.all(person):
        yield {"id": one.text_id, "name": one.name, "created_at": clock.write(one.created_at)}


async def _events(parts: Parts, person: int) -> Rows:
    cursor = None
    while True:
        found, cursor = await parts.identity.events.page(parts.database, person, cursor, _PAGE)
        for event in found:
            yield {
                "at": clock.write(event.at),
                "kind": event.kind,
                "device": event.device,
                "address": event.address,
                "detail": event.detail,
            }
        if cursor is None:
            return


async def _wallets(parts: Parts, person: int) -> Rows:
    wallets = await parts.wallets.of_person(person)
    states = await parts.ledger.states([wallet.id for wallet in wallets]) if wallets else []
    for wallet, state in zip(wallets, states, strict=True):
        yield {
            "id": wallet.written_id,
            "currency": wallet.currency.code,
            "created_at": clock.rfc3339(wallet.created_at),
            "available": 0 if state is None else state.available,
            "held": 0 if state is None else state.held,
            "posted": 0 if state is None else state.posted,
        }


async def _entries(parts: Parts, person: int) -> Rows:
    for wallet in await parts.wallets.of_person(person):
        async for row in _entries_of(parts, wallet):
            yield row


async def _entries_of(parts: Parts, wallet: Wallet) -> Rows:
    cursor = None
    while True:
        page, owners = await parts.activity.entries(wallet.id, limit=_PAGE, cursor=cursor)
        for item in page.items:
            other = owners.get(item.counterparty or 0)
            yield {
                "wallet_id": wallet.written_id,
                "payment_id": ids.write_uuid(item.transaction_id),
                "at": clock.rfc3339(item.at),
                "kind": Kind(item.kind).name.lower(),
                "type": LegType(item.type).name.lower(),
                "direction": item.direction,
                "amount": item.amount,
                "currency": wallet.currency.code,
                "counterparty": None if other is None else other.display_name,
                "counterparty_username": None if other is None else other.username,
                "memo": item.reference,
                "posted": item.posted,
                "available": item.available,
                "log_number": item.n,
            }
        if page.next is None:
            return
        cursor = page.next


async def _payments(parts: Parts, person: int) -> Rows:
    """Each transaction once, however many of the person's wallets it touched."""
    wallets = await parts.wallets.of_person(person)
    mine = {wallet.id: place for place, wallet in enumerate(wallets)}
    for wallet in wallets:
        before = b""
        async for entry in _entries_of(parts, wallet):
            id = ids.read_uuid(entry["payment_id"])
            if id is None or id == before:
                continue
            before = id
            view, owners = await parts.activity.payment(person, id)
            sides = [side for leg in view.legs for side in (leg.debit, leg.credit)]
            # It is told with the first of the person's wallets that it touched.
            if min(mine[side] for side in sides if side in mine) < mine[wallet.id]:
                continue
            yield {
                "id": entry["payment_id"],
                "at": clock.rfc3339(view.at),
                "kind": Kind(view.kind).name.lower(),
                "memo": view.reference,
                "refers_to": None if view.cause is None else ids.write_uuid(view.cause),
                "postings": [
                    {
                        "from": _party(owners, leg.debit),
                        "to": _party(owners, leg.credit),
                        "amount": leg.amount,
                        "currency": None if leg.currency is None else BY_NUMBER[leg.currency].code,
                        "log_number": leg.n,
                    }
                    for leg in view.legs
                ],
            }


def _party(owners: Any, account: int | None) -> str:
    owner = owners.get(account or 0)
    if owner is None:
        return "TikiWallet"
    return owner.display_name if owner.username is None else f"@{owner.username}"


async def _notices(parts: Parts, person: int) -> Rows:
    cursor = None
    while True:
        page = await parts.notices.page(person, "en", cursor, _PAGE)
        for item in page.items:
            yield {
                "at": clock.write(item.at),
                "kind": item.kind,
                "title": item.title,
                "text": item.text,
            }
        cursor = page.next_cursor
        if cursor is None:
            return


async def _contacts(parts: Parts, person: int) -> Rows:
    for contact in await parts.contacts.of(person):
        if contact.favourite:
            yield {"to": contact.to, "name": contact.name}


async def _offline_devices(parts: Parts, person: int) -> Rows:
    for one in await parts.offline.devices.of_person(person):
        yield {
            "id": one.written_id,
            "name": one.name,
            "kind": one.kind,
            "protection": one.protection,
            "created_at": clock.write(one.created_at),
            "last_sync_at": None if one.last_sync_at is None else clock.write(one.last_sync_at),
            "revoked_at": None if one.revoked_at is None else clock.write(one.revoked_at),
            "reason": one.reason,
        }


async def _offline_passes(parts: Parts, person: int) -> Rows:
    cursor = None
    while True:
        page, cursor = await parts.offline.passes.page(person, cursor, _PAGE)
        left = await parts.offline.passes.left(page)
        for one in page:
            yield {
                "id": ids.write_uuid(one.id),
                "device": ids.write_id(DEVICE_PREFIX, one.device),
                "state": one.state_at(clock.now_us()),
                "amount": one.amount,
                "left": left[one.id],
                "currency": one.currency.code,
                "issued_at": clock.write(one.created_at),
                "expires_at": clock.write(one.expires_at),
                "claim_until": clock.write(one.claim_until),
                "message": None if one.message is None else base64url.write(one.message),
            }
        if cursor is None:
            return


async def _offline_debts(parts: Parts, person: int) -> Rows:
    cursor = None
    while True:
        page, cursor = await parts.offline.settling.debts.page(person, cursor, _PAGE)
        for one in page:
            yield {
                "payment": base64url.write(one.pay_hash),
                "to": "fund" if one.to_fund else "person",
                "amount": one.amount.amount,
                "paid": one.paid.amount,
                "forgiven": one.forgiven.amount,
                "currency": one.amount.currency.code,
                "state": one.state,
                "since": clock.write(one.since),
            }
        if cursor is None:
            return


SECTIONS: Final[Sequence[Section]] = (
    ("sessions", _sessions),
    ("identities", _identities),
    ("passkeys", _passkeys),
    ("security_events", _events),
    ("wallets", _wallets),
    ("entries", _entries),
    ("payments", _payments),
    ("notices", _notices),
    ("favourites", _contacts),
    ("offline_devices", _offline_devices),
    ("offline_passes", _offline_passes),
    ("offline_debts", _offline_debts),
)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

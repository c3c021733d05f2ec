"""Passes: money into escrow and a signed promise over it, once, whatever happens in between."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.offline.bank import ANA, SGD, Bank

from tikiwallet import clock
from tikiwallet.errors import InvalidRequest, NotFound, Problem, Unavailable
from tikiwallet.identity.payer_facts import LowerLimit, restrict
from tikiwallet.identity.pins import PinRequired, PinWrong
from tikiwallet.ledger.history import BadCursor
from tikiwallet.ledger.transactions import AnyCommand, Outcome, Result, Transaction
from tikiwallet.offline.admission import (
    PassKeyInvalid,
    PassKeyUsed,
    PassOpen,
    PassProofInvalid,
    PassTooLarge,
)
from tikiwallet.offline.devices import DeviceFrozen, DeviceRevoked
from tikiwallet.offline.limits import PassLimits
from tikiwallet.offline.passes import TAKEN_UP
from tikiwallet.offline.records import Kind, PassState, Protection, Reason
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import IssuerKeys, Limits, Pass
from tikiwallet.wallets.refusals import Abandoned, IdempotencyKeyReused, InsufficientFunds

PIN = "482916"
DAY = 86_400


class Died(Exception):
    """The process, at this point."""


class Dying:
    """A ledger whose caller dies before, or after, it carries out the money's transaction."""

    def __init__(self, ledger: object, *, after: bool) -> None:
        self._ledger: Any = ledger
        self._after = after

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        if not isinstance(command, Transaction):
            return await self._ledger.post(command, deadline)  # type: ignore[no-any-return]
        if self._after:
            await self._ledger.post(command, deadline)
        raise Died


class Deaf(Dying):
    """A ledger whose answers get lost."""

    async def post(self, command: AnyCommand, deadline: float | None = None) -> Outcome:
        outcome: Outcome = await self._ledger.post(command, deadline)
        return Outcome(Result.UNAVAILABLE) if isinstance(command, Transaction) else outcome


async def test_a_pass_is_signed_over_money_in_escrow(bank: Bank) -> None:
    phone = await bank.handset()
    request = phone.request(20_00)
    record, replayed = await bank.offline.passes.issue(request)
    assert (record.state, replayed) == (PassState.OPEN, False)
    assert await bank.left(record) == 20_00
    assert await bank.holds(bank.ana) == 480_00
    assert record.message is not None
    assert len(record.message) <= 255
    signed = Pass.parse(record.message)
    assert (signed.id, signed.hash, signed.key.raw) == (
        record.id, record.hash, phone.keys[-1].public,
    )  # fmt: skip
    assert (signed.amount, signed.currency, signed.start_sequence) == (20_00, SGD.number, 1)
    assert (signed.name, signed.tier, signed.payee_lock) == ("ana", 0, None)
    assert signed.is_of(ANA)
    assert signed.limits == Limits(record.most_per_payment, 20, 0)
    seconds = bank.clock() // 1_000_000
    assert (signed.not_before, signed.expiry) == (seconds, seconds + 96 * 3_600)
    assert (record.claim_until - record.expires_at).days == 7
    keys = IssuerKeys.parse(bank.offline.issuer.key_list())
    assert keys.is_signed_by(PublicKey(bank.offline.issuer.root))
    [key] = [one.key for one in keys.keys if one.kid == signed.kid]
    assert signed.is_signed_by(key)


async def test_the_same_request_is_told_the_same_bytes(bank: Bank) -> None:
    phone = await bank.handset()
    request = phone.request()
    first, _ = await bank.offline.passes.issue(request)
    bank.clock.advance(3_600)
    for again in (request, replace(request, proof=b"another signature", pin="000000")):
        told, replayed = await bank.offline.passes.issue(again)
        assert (told.message, replayed) == (first.message, True)
    assert await bank.holds(bank.ana) == 480_00
    with pytest.raises(IdempotencyKeyReused):
        await bank.offline.passes.issue(phone.request(20_01, key=request.key))


async def test_many_at_once_make_one(bank: Bank) -> None:
    phone = await bank.handset()
    request = phone.request()
    same = [bank.offline.passes.issue(request) for _ in range(6)]
    others = [bank.offline.passes.issue(phone.request(30_00)) for _ in range(6)]
    answers = await asyncio.gather(*same, *others, return_exceptions=True)
    made = [answer[0] for answer in answers if isinstance(answer, tuple)]
    assert len({record.message for record in made}) == 1
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert {type(one) for one in refused} <= {PassOpen}
    assert await bank.holds(bank.ana) == 500_00 - made[0].amount
    for one in refused:
        assert isinstance(one, PassOpen)
        assert one.extra["pass"] == str(UUID(bytes=made[0].id))


async def test_one_for_each_device_and_currency(bank: Bank) -> None:
    await bank.give(bank.ana, 500_00, "EUR")
    first, second = await bank.handset(), await bank.handset()
    for phone, code in ((first, "SGD"), (first, "EUR"), (second, "SGD")):
        await bank.issue(phone, 10_00, code)
        with pytest.raises(PassOpen):
            await bank.issue(phone, 10_00, code)
    assert await bank.holds(bank.ana) == 480_00
    assert await bank.holds(bank.ana, "EUR") == 490_00


async def test_a_pass_that_only_receives(bank: Bank) -> None:
    phone = await bank.handset(bank.ben)
    first = await bank.issue(phone, 0)
    assert (first.escrow, first.state, await bank.left(first)) == (None, PassState.OPEN, 0)
    assert await bank.holds(bank.ben) == 0  # where it will arrive
    assert Pass.parse(first.message or b"").amount == 0
    second = await bank.issue(phone, 0)
    assert second.message != first.message
    assert (await bank.now(first)).state is PassState.CLOSED
    await bank.give(bank.ben, 10_00)
    await bank.issue(phone, 10_00)  # beside it
    assert (await bank.now(second)).state is PassState.OPEN


async def test_not_enough_money(bank: Bank) -> None:
    phone = await bank.handset(bank.ben)
    request = phone.request(5_00)
    with pytest.raises(InsufficientFunds, match="no wallet in SGD"):
        await bank.offline.passes.issue(request)
    await bank.give(bank.ben, 4_99)
    for replayed in (False, True):
        with pytest.raises(InsufficientFunds) as refused:
            await bank.offline.passes.issue(request)
        assert refused.value.replayed is replayed
    assert (await bank.offline.passes.get(bank.ben, request.id)).state is PassState.REFUSED
    assert await bank.holds(bank.ben) == 4_99
    await bank.give(bank.ben, 1)
    with pytest.raises(InsufficientFunds):  # what was refused stays so under its key
        await bank.offline.passes.issue(request)
    record, _ = await bank.offline.passes.issue(replace(request, key="another"))
    assert await bank.left(record) == 5_00


async def test_limits_are_data(bank: Bank) -> None:
    phone = await bank.handset()
    usual = await bank.offline.limits.of(SGD, 0)
    with pytest.raises(PassTooLarge) as refused:
        await bank.issue(phone, usual.most_per_pass + 1)
    assert refused.value.extra["most"] == usual.most_per_pass
    await bank.offline.limits.set(SGD, 0, PassLimits(3_00, 90_00, 5, 24, 2))
    record = await bank.issue(phone, 90_00)
    signed = Pass.parse(record.message or b"")
    assert signed.limits == Limits(3_00, 5, 2)
    assert signed.expiry - signed.not_before == DAY
    await bank.offline.limits.reset(SGD, 0)
    assert await bank.offline.limits.of(SGD, 0) == usual
    assert (await bank.now(record)).most_per_payment == 3_00


class TestPin:
    async def test_it_is_asked_for_as_for_payments(self, bank: Bank) -> None:
        await bank.identity.pins.set_pin(bank.ana, PIN)
        change = bank.identity.account.profile.change
        await change(bank.ana, bank.ana_session, {"pin_threshold": 10_00})
        phone = await bank.handset()
        await bank.offline.passes.issue(phone.request(10_00))
        other = await bank.handset()
        request = other.request(10_01)
        with pytest.raises(PinRequired):
            await bank.offline.passes.issue(request)
        with pytest.raises(PinWrong):
            await bank.offline.passes.issue(replace(request, pin="739182"))
        record, replayed = await bank.offline.passes.issue(replace(request, pin=PIN))
        assert (record.amount, replayed) == (10_01, False)

    async def test_a_pass_without_money_needs_none(self, bank: Bank) -> None:
        change = bank.identity.account.profile.change
        await change(bank.ana, bank.ana_session, {"pin_threshold": 0})
        phone = await bank.handset()
        with pytest.raises(PinRequired):
            await bank.issue(phone, 1)
        await bank.issue(phone, 0)

    async def test_lower_limits_hold(self, bank: Bank) -> None:
        await bank.offline.limits.set(SGD, 0, PassLimits(20_00, 200_00, 20, 96, 0))
        async with bank.stack.database.transaction() as connection:
            await restrict(connection, bank.ana, clock.from_us(bank.clock()))
        bank.identity.payers.forget(bank.ana)
        phone = await bank.handset()
        await bank.issue(phone, 60_00)
        other = await bank.handset()
        with pytest.raises(LowerLimit):
            await bank.issue(other, 40_01)
        with pytest.raises(PassOpen):  # counted, and given back
            await bank.issue(phone, 40_00)
        await bank.issue(other, 40_00)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", ["reserve", "sign"])
class TestACrash:
    async def die(self, bank: Bank, step: str, after: bool) -> Any:
        """Ask for a pass, and die in the middle; the request."""
        phone = await bank.handset()
        request = phone.request(20_00)
        dying = bank.over(bank.stack.ledger)
        if step == "reserve":
            dying = bank.over(Dying(bank.stack.ledger, after=after))
        else:
            sign = dying.passes._sign

            async def die(record: Any) -> Any:
                if after:
                    await sign(record)
                raise Died

            dying.passes._sign = die  # type: ignore[method-assign]
        with pytest.raises(Died):
            await dying.passes.issue(request)
        return request

    async def test_the_same_request_goes_on(self, bank: Bank, step: str, after: bool) -> None:
        request = await self.die(bank, step, after)
        first, replayed = await bank.offline.passes.issue(request)
        again, _ = await bank.offline.passes.issue(request)
        assert replayed
        assert first.message == again.message
        assert await bank.left(first) == 20_00
        assert await bank.holds(bank.ana) == 480_00

    async def test_the_worker_goes_on(self, bank: Bank, step: str, after: bool) -> None:
        request = await self.die(bank, step, after)
        await bank.offline.passes.finish_due()  # not yet
        state = (await bank.offline.passes.get(bank.ana, request.id)).state
        signed = step == "sign" and after
        assert state is (PassState.OPEN if signed else PassState.RESERVING)
        bank.clock.advance(TAKEN_UP.total_seconds() + 1)
        await bank.offline.passes.finish_due()
        record = await bank.offline.passes.get(bank.ana, request.id)
        if step == "reserve" and not after:  # no money had moved, and none will
            assert record.state is PassState.REFUSED
            assert await bank.holds(bank.ana) == 500_00
            with pytest.raises(Abandoned):
                await bank.offline.passes.issue(request)
            await bank.offline.passes.issue(replace(request, key="another"))
        else:
            assert record.state is PassState.OPEN
            assert (await bank.offline.passes.issue(request))[0].message == record.message
        assert await bank.holds(bank.ana) == 480_00


async def test_an_unknown_outcome_is_asked_for_again(bank: Bank) -> None:
    phone = await bank.handset()
    request = phone.request()
    with pytest.raises(Unavailable):
        await bank.over(Deaf(bank.stack.ledger, after=True)).passes.issue(request)
    record, _ = await bank.offline.passes.issue(request)
    assert (await bank.left(record), await bank.holds(bank.ana)) == (20_00, 480_00)


async def test_a_pass_without_money_is_finished_too(bank: Bank) -> None:
    phone = await bank.handset()
    dying = bank.over(bank.stack.ledger)

    async def die(record: Any) -> Any:
        raise Died

    dying.passes._sign = die  # type: ignore[method-assign]
    request = phone.request(0)
    with pytest.raises(Died):
        await dying.passes.issue(request)
    bank.clock.advance(TAKEN_UP.total_seconds() + 1)
    await bank.offline.passes.finish_due()
    assert (await bank.offline.passes.get(bank.ana, request.id)).state is PassState.OPEN


async def test_a_closed_account_gets_none(bank: Bank) -> None:
    phone = await bank.handset(bank.ben)
    request = phone.request(0)
    dying = bank.over(bank.stack.ledger)

    async def die(record: Any) -> Any:
        raise Died

    dying.passes._sign = die  # type: ignore[method-assign]
    with pytest.raises(Died):
        await dying.passes.issue(request)
    await bank.offline.departure.check(bank.ben)
    await bank.offline.departure.end(bank.ben)
    await bank.identity.account.closure.close(bank.ben)
    bank.clock.advance(TAKEN_UP.total_seconds() + 1)
    await bank.offline.passes.finish_due()
    assert (await bank.offline.passes.get(bank.ben, request.id)).state is PassState.REFUSED
    with pytest.raises(Abandoned):
        await bank.offline.passes.issue(request)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"public_key": b"\x02" + b"\xff" * 32}, PassKeyInvalid),
        ({"public_key": b"\x04" + bytes(64)}, PassKeyInvalid),
        ({"public_key": b""}, PassKeyInvalid),
        ({"proof": bytes(64)}, PassProofInvalid),
        ({"proof": b"short"}, PassProofInvalid),
        ({"payee_lock": b"seven by"[:7]}, InvalidRequest),
        ({"payee_lock": bytes(8)}, NotFound),
        ({"device": 1}, NotFound),
    ],
)
async def test_what_is_wrong_is_told(
    bank: Bank, change: dict[str, Any], problem: type[Problem]
) -> None:
    phone = await bank.handset()
    with pytest.raises(problem) as refused:
        await bank.offline.passes.issue(replace(phone.request(), **change))
    assert refused.value.detail
    assert await bank.holds(bank.ana) == 500_00


async def test_a_proof_is_for_one_device(bank: Bank) -> None:
    phone, other = await bank.handset(), await bank.handset()
    with pytest.raises(PassProofInvalid):
        await bank.offline.passes.issue(replace(phone.request(), device=other.device.id))
    stranger = await bank.handset(bank.ben)
    with pytest.raises(NotFound):
        await bank.offline.passes.issue(replace(stranger.request(), person=bank.ana))


async def test_each_pass_has_a_key_of_its_own(bank: Bank) -> None:
    await bank.give(bank.ana, 500_00, "EUR")
    phone = await bank.handset()
    request = phone.request()
    await bank.offline.passes.issue(request)
    again = replace(phone.request(code="EUR"), public_key=request.public_key, proof=request.proof)
    with pytest.raises(PassKeyUsed):
        await bank.offline.passes.issue(again)


async def test_a_pass_for_one_payee(bank: Bank) -> None:
    shop = await bank.handset(bank.ben, Kind.TERMINAL, Protection.FILE)
    pseudonym = shop.device.pseudonym
    assert pseudonym is not None
    first = Pass.parse((await bank.issue(shop, 0)).message or b"")
    second = Pass.parse((await bank.issue(shop, 0)).message or b"")
    assert first.pseudonym == second.pseudonym == pseudonym
    phone = await bank.handset()
    record, _ = await bank.offline.passes.issue(phone.request(payee_lock=pseudonym))
    signed = Pass.parse(record.message or b"")
    assert signed.payee_lock == pseudonym
    assert len(record.message or b"") <= 255
    with pytest.raises(InvalidRequest):
        await bank.offline.passes.issue(phone.request(0, payee_lock=pseudonym))
    await bank.offline.devices.revoke(bank.ben, shop.device.id, Reason.REPLACED)
    other = await bank.handset()
    with pytest.raises(NotFound):
        await bank.offline.passes.issue(other.request(payee_lock=pseudonym))
    fresh = [Pass.parse((await bank.issue(phone, 0)).message or b"").pseudonym for _ in range(2)]
    assert fresh[0] != fresh[1]


async def test_a_long_hindi_name_fits(bank: Bank) -> None:
    name = "क्षितिज श्रीवास्तव उपाध्याय"
    await bank.identity.account.profile.change(bank.ana, bank.ana_session, {"display_name": name})
    record = await bank.issue(await bank.handset())
    signed = Pass.parse(record.message or b"")
    assert len(record.message or b"") <= 255
    assert name.startswith(signed.name)
    assert 10 <= len(signed.name.encode()) <= 20


async def test_revoked_and_frozen_devices_get_none(bank: Bank) -> None:
    phone, other = await bank.handset(), await bank.handset()
    await bank.offline.devices.revoke(bank.ana, phone.device.id, Reason.LOST)
    with pytest.raises(DeviceRevoked):
        await bank.issue(phone)
    await bank.stack.database.execute(
        "UPDATE offline.device SET frozen_at = now() WHERE id = $1", other.device.id
    )
    with pytest.raises(DeviceFrozen):
        await bank.issue(other)


async def test_what_is_over_makes_room(bank: Bank) -> None:
    phone = await bank.handset()
    first = await bank.issue(phone)
    bank.clock.advance(96 * 3_600 - 2)
    with pytest.raises(PassOpen):
        await bank.issue(phone)
    bank.clock.advance(2)
    second = await bank.issue(phone)
    assert (await bank.now(first)).state is PassState.EXPIRED
    bank.clock.advance(96 * 3_600 + 1)
    assert (await bank.now(second)).state_at(bank.clock()) is PassState.EXPIRED
    await bank.offline.passes.finish_due()
    expired = await bank.now(second)
    assert (expired.state, expired.next_check_at) == (PassState.EXPIRED, expired.claim_until)
    assert await bank.left(first) == await bank.left(second) == 20_00


async def test_pages(bank: Bank) -> None:
    made = []
    for amount in (1, 2, 3):
        made.append((await bank.issue(await bank.handset(), amount)).id)
        bank.clock.advance(1)
    page, cursor = await bank.offline.passes.page(bank.ana, None, 2)
    assert [record.id for record in page] == [made[2], made[1]]
    rest, after = await bank.offline.passes.page(bank.ana, cursor, 2)
    assert ([record.id for record in rest], after) == ([made[0]], None)
    assert await bank.offline.passes.page(bank.ben, cursor, 2) == ([], None)
    with pytest.raises(BadCursor):
        await bank.offline.passes.page(bank.ana, "nonsense", 2)
    with pytest.raises(NotFound):
        await bank.offline.passes.get(bank.ben, made[0])


async def test_what_was_promised_stays_so_in_sql_too(bank: Bank) -> None:
    record = await bank.issue(await bank.handset())
    for change in ("amount = 1", "hash = digest", "expires_at = now()", "public_key = hash"):
        with pytest.raises(asyncpg.PostgresError, match=r"is decided|pass_key"):
            await bank.stack.database.execute(
                f"UPDATE offline.pass SET {change} WHERE id = $1", UUID(bytes=record.id)
            )

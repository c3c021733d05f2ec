"""Intents of settlement become transactions, and outcomes follow; what broke off is taken up again.

A claim that is `posting` has its shares decided and committed: the ledger posts them under an id
that follows from the payment and the attempt, as often as it is asked. One that is `open` lacks
money in escrow, since its payer's key signed twice or what they passed on was worth less: the
payer's wallet pays, then, a day later, the guarantee fund; what these leave open is a debt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from tikiwallet import ids, logs
from tikiwallet.clock import SECOND, from_us, now_us
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import TOTAL_MAX, Outcome, Result
from tikiwallet.ledger.transactions import State as Account
from tikiwallet.offline import taking_in
from tikiwallet.offline.deciding import Means, State, Step, next_step
from tikiwallet.offline.fund import Fund
from tikiwallet.offline.intents import COLUMNS, Intent, intent_of, paid
from tikiwallet.offline.taking_in import Left
from tikiwallet.wallets.chart import Purpose, house_account

TAKEN_UP_US: Final = 15 * SECOND  # after which a crash is taken for one
_PAYEE_SHUT_US: Final = 3_600 * SECOND  # until a wallet that takes no money is tried again
_AWAITED_SECONDS: Final = 4  # until an escrow that more is posted to is looked into again
_NOTHING: Final = "UPDATE 0"  # somebody else has written it down
_ROUNDS: Final = 4  # escrow, wallet, fund, end
_TAKE: Final = f"""
    UPDATE offline.claim SET next_check_at = $2 FROM offline.pass AS payer
    WHERE payer.id = claim.payer_pass AND pay_hash = ANY($1::bytea[])
        AND claim.next_check_at IS NOT NULL
    RETURNING {COLUMNS}
"""  # noqa: S608
_OPEN: Final = f"""
    SELECT {COLUMNS} FROM offline.claim JOIN offline.pass AS payer ON payer.id = claim.payer_pass
    WHERE pay_hash = ANY($1::bytea[]) AND claim.state = ANY($2::text[])
"""  # noqa: S608
_DUE: Final = """
    SELECT pay_hash FROM offline.claim WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $2
    FOR UPDATE SKIP LOCKED
"""
_LOCK: Final = """
    SELECT pay_hash, attempt FROM offline.claim
    WHERE pay_hash = ANY($1::bytea[]) AND state = 'open' ORDER BY pay_hash FOR UPDATE
"""
# Asked once they are locked: who calls a request off locks them too.
_VOIDED: Final = """
    SELECT pay_hash FROM offline.claim JOIN offline.void USING (payee_pass, request_id)
    WHERE pay_hash = ANY($1::bytea[])
"""
_POSTED: Final = """
    UPDATE offline.claim AS claim SET
        paid_escrow = paid_escrow + taking_escrow - barred,
        paid_wallet = paid_wallet + taking_wallet, paid_fund = paid_fund + taking_fund,
        taking_escrow = barred, barred = 0, taking_wallet = 0, taking_fund = 0,
        attempt = claim.attempt + 1,
        state = CASE WHEN barred > 0 THEN 'posting' WHEN done.rest = 0 THEN 'credited'
            ELSE 'open' END,
        contested_at = CASE WHEN done.rest = 0 THEN contested_at
            ELSE coalesce(contested_at, $4::timestamptz) END,
        settled_at = done.at,
        next_check_at = CASE WHEN barred > 0 THEN $6::timestamptz WHEN done.rest = 0 THEN NULL
            ELSE $4::timestamptz END
    FROM unnest($1::bytea[], $2::integer[], $3::bigint[], $5::timestamptz[])
        AS done (pay_hash, attempt, rest, at)
    WHERE claim.pay_hash = done.pay_hash AND claim.attempt = done.attempt AND state = 'posting'
"""
_POSTED_RETURNING: Final = f"{_POSTED} RETURNING claim.pay_hash"
_REFUSED: Final = """
    UPDATE offline.claim SET taking_wallet = 0, taking_fund = 0, attempt = attempt + 1,
        barred = $5,
        state = CASE WHEN taking_escrow > 0 THEN 'posting' ELSE 'open' END,
        contested_at = CASE WHEN taking_wallet + taking_fund > 0
            THEN coalesce(contested_at, $4) ELSE contested_at END,
        next_check_at = $3
    WHERE pay_hash = $1 AND attempt = $2 AND state = 'posting'
"""
_PAYEE_GONE: Final = """
    UPDATE offline.claim SET taking_escrow = 0, taking_wallet = 0, taking_fund = 0, barred = 0,
        attempt = attempt + 1, next_check_at = NULL,
        state = CASE paid_escrow + paid_wallet + paid_fund
            WHEN 0 THEN 'rejected' ELSE 'partial' END,
        reason = CASE paid_escrow + paid_wallet + paid_fund WHEN 0 THEN 'payee_closed' END
    WHERE pay_hash = $1 AND attempt = $2 AND state = 'posting'
"""
_TAKING: Final = """
    UPDATE offline.claim SET taking_escrow = $2, taking_wallet = $3, taking_fund = $4,
        state = 'posting', next_check_at = $5
    WHERE pay_hash = $1
"""
_OWE: Final = """
    INSERT INTO offline.debt (pay_hash, debtor, creditor, debtor_wallet, creditor_account, currency,
        amount, since, next_check_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
    ON CONFLICT (pay_hash, creditor) DO UPDATE SET
        amount = excluded.amount, ended = NULL,
        next_check_at = coalesce(debt.next_check_at, excluded.since)
    WHERE excluded.amount > debt.amount
"""
# Its payee called it off, and owes back what was about to be paid.
NOT_OWED: Final = """
    UPDATE offline.debt SET amount = amount - $3,
        forgiven = least(forgiven, amount - $3 - paid),
        next_check_at = CASE WHEN amount - $3 > paid + forgiven THEN next_check_at END
    WHERE pay_hash = $1 AND debtor = $2 AND creditor IS NOT NULL
"""
_log = logs.get(__name__)


@dataclass(slots=True)
class _Held:
    """What wallets, the fund by currency and escrows by pass hold for open claims, for what payees'
    wallets have room, and the claims for which more may come in."""

    wallets: dict[int, int]
    fund: dict[int, int]
    rooms: dict[int, int]
    escrows: dict[bytes, Left] = field(default_factory=dict)
    resting: dict[bytes, int] = field(default_factory=dict)


class Posting:
    """Carries decided claims out, and goes on with those that were cut short."""

    def __init__(
        self, database: Database, *, ledger: Ledger, fund: Fund, now: Callable[[], int] = now_us
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._fund = fund
        self._now = now

    async def carry_out(self, hashes: Sequence[bytes]) -> None:
        """Everything that can be done now for claims that the caller has just decided."""
        rows = await self._database.fetch(_OPEN, list(hashes), [State.POSTING, State.OPEN])
        await self._go_on(rows)

    async def recover_due(self, limit: int = 100) -> bool:
        """Go on with claims that are due; whether there may be more at once. For the worker."""
        now = self._now()
        async with self._database.transaction() as connection:
            due = [row["pay_hash"] for row in await connection.fetch(_DUE, from_us(now), limit)]
            rows = await connection.fetch(_TAKE, due, from_us(now + TAKEN_UP_US)) if due else []
        await self._go_on(rows)
        return len(due) == limit

    async def _go_on(self, rows: Sequence[Any]) -> None:
        """Those first that others may pass on, which then find the money in escrow."""
        by_hops = sorted(rows, key=itemgetter("hops"))
        for _, wave in groupby(by_hops, itemgetter("hops")):
            await self._carry_on(list(wave))

    async def _carry_on(self, rows: Sequence[Any]) -> None:
        decided = [intent_of(row) for row in rows if row["state"] == State.POSTING]
        rest = [intent_of(row) for row in rows if row["state"] == State.OPEN]
        for _ in range(_ROUNDS):
            if decided:
                rest += await self._post(decided)
            if not rest:
                return
            decided, rest = await self._step(rest), []

    async def _post(self, intents: Sequence[Intent]) -> list[Intent]:
        """Ask the ledger, and record what it said; those that are open then."""
        outcomes = await self._ledger.post_many([intent.command() for intent in intents])
        posted: list[tuple[Intent, int]] = []
        for intent, outcome in zip(intents, outcomes, strict=True):
            match outcome.result:
                case Result.POSTED:
                    posted.append((intent, outcome.at))
                case Result.OVERLOADED | Result.UNAVAILABLE:
                    pass  # it stays decided, and is taken up again
                case _:
                    await self._refused(intent, outcome)
        if posted:
            await self._record(posted)
        return [paid(intent) for intent, _ in posted if intent.rest and not intent.barred]

    async def _record(self, posted: Sequence[tuple[Intent, int]]) -> None:
        """What was taken is paid, and in the escrow of a pass that takes it in; what the fund has
        paid, the payer owes it."""
        now = self._now()
        insured = [intent for intent, _ in posted if intent.fund]
        taken_in = [intent for intent, _ in posted if intent.into_escrow]
        done = (
            [intent.pay_hash for intent, _ in posted],
            [intent.attempt for intent, _ in posted],
            [intent.rest for intent, _ in posted],
            from_us(now),
            [from_us(at) for _, at in posted],
            from_us(now + _PAYEE_SHUT_US),
        )
        if not insured and not taken_in:
            await self._database.execute(_POSTED, *done)
            return
        async with self._database.transaction() as connection:
            await taking_in.lock(connection, (intent.payee_pass for intent in taken_in))
            rows = await connection.fetch(_POSTED_RETURNING, *done)
            await taking_in.count(connection, taken_in, {row["pay_hash"] for row in rows})
            for intent in insured:
                fund = house_account(Purpose.GUARANTEE, intent.currency)
                owed = intent.paid_fund + intent.fund
                await _owe(connection, intent, None, fund, owed, now)

    async def _refused(self, intent: Intent, outcome: Outcome) -> None:
        """The payer's wallet holds less by now, or the payee's takes nothing, or not as much:
        nothing has moved. The escrow's share stays set aside, and all that there is room for is
        asked for anew under another id; unless the payee's wallet is closed, which it stays."""
        now = self._now()
        short = outcome.result == Result.INSUFFICIENT_FUNDS and intent.wallet + intent.fund > 0
        _log.warning(
            "a settlement was refused by the ledger",
            result=Result(outcome.result).name.lower(),
            transaction=intent.id.hex(),
        )
        barred = await self._barred(intent) if outcome.result == Result.LIMIT_EXCEEDED else 0
        again = now if short or barred else now + _PAYEE_SHUT_US
        gone = outcome.result == Result.ACCOUNT_CLOSED and await self._is_closed(intent.credited)
        async with self._database.transaction() as connection:
            if gone:
                written = await connection.execute(_PAYEE_GONE, intent.pay_hash, intent.attempt)
            else:
                written = await connection.execute(
                    _REFUSED, intent.pay_hash, intent.attempt, from_us(again), from_us(now), barred
                )
            if written != _NOTHING:
                not_paid = intent.wallet + intent.fund + (intent.escrow if gone else 0)
                await connection.execute(NOT_OWED, intent.pay_hash, intent.payee, not_paid)
            await self._fund.give_back(connection, intent.pay_hash, intent.attempt)

    async def _barred(self, intent: Intent) -> int:
        """The part of the escrow's share that has no room where the rest of it has some."""
        [state] = await self._ledger.states([intent.credited])
        room = 0 if state is None else state.room
        return max(0, intent.escrow - room) if room else 0

    async def _is_closed(self, account: int) -> bool:
        [state] = await self._ledger.states([account])
        return state is not None and state.is_closed

    async def _step(self, intents: Sequence[Intent]) -> list[Intent]:
        """Decide the next shares of open claims; those of which something is taken now."""
        held = await self._held(intents)
        taken: list[Intent | None] = []
        async with self._database.transaction() as connection:
            held.escrows = await taking_in.left(connection, intents)
            held.resting = await taking_in.resting(connection, intents)
            now = self._now()
            hashes = [intent.pay_hash for intent in intents]
            open_ = {tuple(row) for row in await connection.fetch(_LOCK, hashes)}
            voided = {row["pay_hash"] for row in await connection.fetch(_VOIDED, hashes)}
            # In the order of currencies, as each is a lock of the fund.
            for intent in sorted(intents, key=lambda intent: intent.currency):
                if (intent.pay_hash, intent.attempt) not in open_:
                    continue  # somebody else is at it
                if intent.pay_hash in voided:  # by its payee: nothing more is paid, or owed
                    await _end(connection, intent)
                else:
                    taken.append(await self._decide(connection, intent, held, now))
        return [intent for intent in taken if intent is not None]

    async def _held(self, intents: Sequence[Intent]) -> _Held:
        accounts = list({one for it in intents for one in (it.payer_wallet, it.credited)})
        states = dict(zip(accounts, await self._ledger.states(accounts), strict=True))
        return _Held(
            {account: 0 if state is None else state.takeable for account, state in states.items()},
            await self._fund.balances({intent.currency for intent in intents}),
            {account: _room(state) for account, state in states.items()},
        )

    async def _decide(
        self, connection: AnyConnection, intent: Intent, held: _Held, now: int
    ) -> Intent | None:
        left = held.escrows.get(intent.payer_pass) or Left()
        escrow = min(intent.rest, left.amount)
        step = Step(0, 0, None)
        if escrow < intent.rest:
            step = await self._besides(connection, intent, intent.rest - escrow, held, now)
            step = _cut(step, held.rooms[intent.credited] - escrow)
        if not escrow + step.wallet + step.fund:
            if step.wait_until is not None:
                await _keep_open(connection, intent, step.wait_until)
                return None
            if intent.payer != intent.payee:
                await _owe(connection, intent, intent.payee, intent.payee_account, intent.rest, now)
            await _end(connection, intent)
            return None
        taken = replace(intent, escrow=escrow, wallet=step.wallet, fund=step.fund)
        await self._set_aside(connection, taken, held, now)
        return taken

    async def _besides(
        self, connection: AnyConnection, intent: Intent, rest: int, held: _Held, now: int
    ) -> Step:
        """What others than the escrow give for what it does not hold: nobody while more is being
        posted to it, no fund before its sources are over, and nobody at all for what people took
        from themselves."""
        again = now // SECOND + _AWAITED_SECONDS
        left = held.escrows.get(intent.payer_pass)
        if left is not None and left.awaits:
            return Step(0, 0, again)
        open_until = held.resting.get(intent.pay_hash)
        until = None if open_until is None else max(again, open_until)
        if intent.payer == intent.payee:
            return Step(0, 0, until)
        step = await self._contested(connection, intent, rest, held, now)
        return step if until is None else Step(step.wallet, 0, until)

    async def _contested(
        self, connection: AnyConnection, intent: Intent, rest: int, held: _Held, now: int
    ) -> Step:
        """What the payer's wallet and the fund give for what the escrow does not hold."""
        contested_at = intent.contested_at or now
        room = await self._fund.room(connection, intent, held.fund[intent.currency], now)
        since = ids.made_at(intent.payee) // SECOND
        means = Means(held.wallets[intent.payer_wallet], room, since)
        return next_step(rest, contested_at // SECOND, means, now // SECOND)

    async def _set_aside(
        self, connection: AnyConnection, taken: Intent, held: _Held, now: int
    ) -> None:
        held.wallets[taken.payer_wallet] -= taken.wallet
        held.rooms[taken.credited] -= taken.taking
        if taken.escrow:
            left = held.escrows[taken.payer_pass]
            await taking_in.take(connection, taken, left, taken.escrow)
        if taken.fund:
            held.fund[taken.currency] -= taken.fund
            await self._fund.use(connection, taken, taken.fund, now)
        shares = (taken.escrow, taken.wallet, taken.fund)
        until = from_us(now + TAKEN_UP_US)
        await connection.execute(_TAKING, taken.pay_hash, *shares, until)


def _room(state: Account | None) -> int:
    """What may be put in; a closed wallet refuses all of it, which ends a claim."""
    if state is None:
        return 0
    return TOTAL_MAX if state.is_closed else state.room


def _cut(step: Step, room: int) -> Step:
    """No more than the payee's wallet has room for."""
    wallet = min(step.wallet, max(0, room))
    return Step(wallet, min(step.fund, max(0, room - wallet)), step.wait_until)


async def _keep_open(connection: AnyConnection, intent: Intent, until: int) -> None:
    await connection.execute(
        "UPDATE offline.claim SET next_check_at = $2 WHERE pay_hash = $1",
        intent.pay_hash,
        from_us((until + 1) * SECOND),
    )


async def _end(connection: AnyConnection, intent: Intent) -> None:
    await connection.execute(
        "UPDATE offline.claim SET state = 'partial', next_check_at = NULL WHERE pay_hash = $1",
        intent.pay_hash,
    )


async def _owe(
    connection: AnyConnection,
    intent: Intent,
    creditor: int | None,
    account: int,
    amount: int,
    now: int,
) -> None:
    await connection.execute(
        _OWE,
        intent.pay_hash,
        intent.payer,
        creditor,
        intent.payer_wallet,
        account,
        intent.currency,
        amount,
        from_us(now),
    )

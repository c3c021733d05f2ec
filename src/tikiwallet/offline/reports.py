"""What operators see of offline money: passes, exposure, conflicts, the guarantee fund. The same
data for `tikiwallet admin offline` and for `/v1/admin/offline`, ready for JSON.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from tikiwallet import clock, ids
from tikiwallet.clock import from_us, now_us
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity.sealing import Sealing
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import State
from tikiwallet.money import BY_NUMBER
from tikiwallet.offline import evidence
from tikiwallet.offline.debts import STATE
from tikiwallet.offline.deciding import Contradiction, Scope
from tikiwallet.offline.fund import caps_of
from tikiwallet.offline.sealed import PASS, open_proof
from tikiwallet.offline.waiting import Waiting
from tikiwallet.wallets.chart import Purpose, house_account

PAGE: Final = 100
_PASSES: Final = """
    SELECT pass.*, device.frozen_at, revocation.reason AS revoked
    FROM offline.pass JOIN offline.device ON device.id = pass.device
    LEFT JOIN offline.revocation ON revocation.pass = pass.id
    WHERE ($1::text IS NULL OR pass.state = $1) AND ($2::bigint IS NULL OR pass.person = $2)
        AND (NOT $3 OR device.frozen_at IS NOT NULL)
    ORDER BY pass.created_at DESC, pass.id LIMIT $4
"""
# At risk is what may still be claimed; forked passes may be claimed beyond what they hold.
_EXPOSURE: Final = """
    SELECT currency, state, count(*) AS passes, sum(holds)::bigint AS outstanding,
        sum(holds) FILTER (WHERE forked)::bigint AS forked,
        sum(holds) FILTER (WHERE age < interval '1 day')::bigint AS day,
        sum(holds) FILTER (WHERE age >= interval '1 day' AND age < interval '4 days')
            ::bigint AS four_days,
        sum(holds) FILTER (WHERE age >= interval '4 days')::bigint AS older
    FROM (
        SELECT pass.*, amount + received - settled AS holds, $1 - created_at AS age,
            EXISTS (SELECT FROM offline.conflict WHERE pass = pass.id) AS forked
        FROM offline.pass WHERE escrow IS NOT NULL AND state IN ('open', 'closed', 'expired')
    ) AS pass
    GROUP BY currency, state ORDER BY currency, state
"""
_CLAIMS: Final = """
    SELECT currency, state, count(*) AS payments,
        sum(amount - paid_escrow - paid_wallet - paid_fund)::bigint AS unpaid
    FROM offline.claim WHERE state IN ('recorded', 'posting', 'open', 'partial')
    GROUP BY currency, state ORDER BY currency, state
"""
_CONFLICTS: Final = """
    SELECT conflict.*, device.frozen_at, device.revoked_at FROM offline.conflict
    JOIN offline.device ON device.id = conflict.device ORDER BY conflict.id DESC LIMIT $1
"""
_PAID: Final = """
    SELECT pay_hash, payee, sequence, amount, currency, state, paid_escrow, paid_wallet, paid_fund
    FROM offline.claim WHERE payer_pass = $1 ORDER BY sequence, arrived_at
"""
_EVIDENCE: Final = """
    SELECT conflict.kind, conflict.keys, messages_sealed, pass.id AS pass, message_sealed
    FROM offline.conflict
    JOIN offline.pass ON pass.id = conflict.pass WHERE conflict.id = $1
"""
_USED: Final = """
    SELECT currency, count(*) AS payments, sum(amount)::bigint AS paid,
        coalesce(sum(amount) FILTER (WHERE at > $1), 0)::bigint AS day,
        coalesce(sum(amount) FILTER (WHERE at > $2), 0)::bigint AS month
    FROM offline.fund_use GROUP BY currency
"""
_OWED: Final = """
    SELECT currency,
        sum(rest) FILTER (WHERE ended IS NULL AND creditor IS NULL)::bigint AS to_fund,
        sum(rest) FILTER (WHERE ended IS NULL AND creditor IS NOT NULL)::bigint AS to_people,
        sum(forgiven + CASE WHEN ended IS NULL THEN 0 ELSE rest END)::bigint AS not_collected
    FROM (SELECT *, amount - paid - forgiven AS rest FROM offline.debt WHERE paid < amount) AS debt
    GROUP BY currency
"""
_DEBTS: Final = f"""
    SELECT id, debtor, creditor, currency, amount, paid, forgiven, since, creditor_account,
        {STATE} AS state
    FROM offline.debt ORDER BY id DESC LIMIT $1
"""  # noqa: S608
_DAY_US: Final = 86_400_000_000


class Reports:
    """Reads; changes nothing. `root` is the issuer's root key."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        sealing: Sealing,
        root: Callable[[], bytes],
        now: Callable[[], int] = now_us,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._sealing = sealing
        self._root = root
        self._now = now
        self._waiting = Waiting(database, ledger, now)

    async def passes(
        self,
        *,
        state: str | None = None,
        person: int | None = None,
        frozen: bool = False,
        limit: int = PAGE,
    ) -> list[dict[str, Any]]:
        """Passes, newest first; `frozen`: only those of devices that are stopped."""
        rows = await self._database.fetch(_PASSES, state, person, frozen, limit)
        return [
            {
                "id": str(row["id"]),
                "person": ids.write_id("p", row["person"]),
                "device": ids.write_id("d", row["device"]),
                "state": row["state"],
                "currency": _code(row),
                "amount": row["amount"],
                "received": row["received"],
                "settled": row["settled"],
                "created_at": clock.write(row["created_at"]),
                "expires_at": clock.write(row["expires_at"]),
                "claim_until": clock.write(row["claim_until"]),
                "revoked": row["revoked"],
                "frozen": row["frozen_at"] is not None,
            }
            for row in rows
        ]

    async def exposure(self) -> dict[str, Any]:
        """What is outstanding in escrow by currency, state and age, what claims lack, and the first
        payments that wait for room in a wallet."""
        passes = await self._database.fetch(_EXPOSURE, from_us(self._now()))
        claims = await self._database.fetch(_CLAIMS)
        return {
            "passes": [
                {
                    "currency": _code(row),
                    "state": row["state"],
                    "passes": row["passes"],
                    "outstanding": row["outstanding"],
                    "forked": row["forked"] or 0,
                    "younger_than_a_day": row["day"] or 0,
                    "one_to_four_days": row["four_days"] or 0,
                    "older": row["older"] or 0,
                }
                for row in passes
            ],
            "claims": [
                {
                    "currency": _code(row),
                    "state": row["state"],
                    "payments": row["payments"],
                    "unpaid": row["unpaid"],
                }
                for row in claims
            ],
            "waiting": await self._waiting.page(PAGE),
        }

    async def conflicts(self, limit: int = PAGE) -> list[dict[str, Any]]:
        """Conflicts, newest first, each with everything that was claimed of its pass."""
        rows = await self._database.fetch(_CONFLICTS, limit)
        return [
            {
                "id": row["id"],
                "kind": row["kind"],
                "statement": evidence.SENTENCES[Contradiction(row["kind"])],
                "pass": str(row["pass"]),
                "person": ids.write_id("p", row["person"]),
                "device": ids.write_id("d", row["device"]),
                "frozen": row["frozen_at"] is not None,
                "found_at": clock.write(row["found_at"]),
                "first": row["first_hash"].hex(),
                "second": row["second_hash"].hex(),
                "payments": _payments(await self._database.fetch(_PAID, row["pass"])),
            }
            for row in rows
        ]

    async def evidence(self, conflict: int) -> dict[str, Any]:
        """The document that proves a conflict to anybody. Raises NotFound."""
        row = await self._database.fetchrow(_EVIDENCE, conflict)
        if row is None:
            raise NotFound(f"There is no conflict {conflict}")
        kind = Contradiction(row["kind"])
        pass_ = PASS.open_bytes(self._sealing, row["pass"], row["message_sealed"])
        messages = open_proof(self._sealing, conflict, row["messages_sealed"])
        return evidence.document(kind, self._root(), row["keys"], pass_, messages)

    async def debts(self, limit: int = PAGE) -> list[dict[str, Any]]:
        """Debts, newest first: open, paid, or why nobody collects them, now or any more."""
        rows = await self._database.fetch(_DEBTS, limit)
        creditors = await self._ledger.states([row["creditor_account"] for row in rows])
        return [
            {
                "id": row["id"],
                "debtor": ids.write_id("p", row["debtor"]),
                "creditor": None if row["creditor"] is None else ids.write_id("p", row["creditor"]),
                "currency": _code(row),
                "amount": row["amount"],
                "paid": row["paid"],
                "forgiven": row["forgiven"],
                "state": _debt_state(row["state"], creditor),
                "since": clock.write(row["since"]),
            }
            for row, creditor in zip(rows, creditors, strict=True)
        ]

    async def fund(self) -> list[dict[str, Any]]:
        """The guarantee fund by currency: balance, caps, what was paid, what is owed."""
        now = self._now()
        day, month = from_us(now - _DAY_US), from_us(now - 30 * _DAY_US)
        used = {row["currency"]: row for row in await self._database.fetch(_USED, day, month)}
        owed = {row["currency"]: row for row in await self._database.fetch(_OWED)}
        accounts = {number: house_account(Purpose.GUARANTEE, number) for number in BY_NUMBER}
        states = await self._ledger.states(list(accounts.values()))
        balances = {
            number: state.posted
            for number, state in zip(accounts, states, strict=True)
            if state is not None and (state.seq > 1 or number in used or number in owed)
        }
        told = []
        for number in sorted({*balances, *used, *owed}):
            caps = await caps_of(self._database, number)
            told.append(_fund(number, balances.get(number, 0), caps, used, owed))
        return told


def _fund(
    number: int, balance: int, caps: dict[Scope, int], used: dict[int, Any], owed: dict[int, Any]
) -> dict[str, Any]:
    paid = used.get(number) or {}
    owes = owed.get(number) or {}
    return {
        "currency": BY_NUMBER[number].code,
        "balance": balance,
        "payments": paid.get("payments", 0),
        "paid": paid.get("paid", 0),
        "paid_in_a_day": paid.get("day", 0),
        "paid_in_30_days": paid.get("month", 0),
        "owed_to_fund": owes.get("to_fund") or 0,
        "owed_to_people": owes.get("to_people") or 0,
        "not_collected": owes.get("not_collected") or 0,
        "caps": {scope.value: caps[scope] for scope in Scope},
    }


def _debt_state(kept: str, creditor: State | None) -> str:
    return "creditor_full" if kept == "open" and creditor and not creditor.room else kept


def _payments(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "hash": row["pay_hash"].hex(),
            "sequence": row["sequence"],
            "payee": ids.write_id("p", row["payee"]),
            "currency": _code(row),
            "amount": row["amount"],
            "state": row["state"],
            "from_escrow": row["paid_escrow"],
            "from_wallet": row["paid_wallet"],
            "from_fund": row["paid_fund"],
        }
        for row in rows
    ]


def _code(row: Any) -> str:
    return BY_NUMBER[row["currency"]].code

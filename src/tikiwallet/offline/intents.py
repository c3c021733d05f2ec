"""What the ledger is asked for on behalf of a claim: its shares, and the accounts of all sides."""

from dataclasses import dataclass, replace
from typing import Any, Final

from tikiwallet import ids
from tikiwallet.clock import to_us
from tikiwallet.ledger.transactions import Kind, Transaction
from tikiwallet.ledger.transactions import Posting as Leg
from tikiwallet.wallets.chart import Purpose, house_account

# From `claim`, with its payer's pass as `payer`.
COLUMNS: Final = """
    claim.pay_hash, claim.state, attempt, payer_pass, payer, payee, claim.amount, claim.currency,
    paid_escrow, paid_wallet, paid_fund, taking_escrow, taking_wallet, taking_fund, barred,
    contested_at, payee_account, payer.escrow AS escrow_account, payer.wallet AS payer_wallet,
    payee_pass, into_escrow, claim.hops, payer.hops > 0 AND payer.escrow IS NOT NULL AS takes_in
"""


@dataclass(frozen=True, slots=True)
class Intent:
    """A claim with what is being taken for it, and the ledger accounts of all sides. `into_escrow`
    is credited where the payee's pass takes the money in; the payer's pass may get more of its own
    while the claim is open when it `takes_in`. Of `escrow`, which is set aside, the payee's
    wallet has no room for `barred`, which is asked of the ledger later."""

    pay_hash: bytes
    attempt: int
    payer_pass: bytes
    payer: int
    payee: int
    amount: int
    paid: int
    paid_fund: int
    currency: int
    escrow: int
    wallet: int
    fund: int
    barred: int
    escrow_account: int | None
    payer_wallet: int
    payee_account: int
    payee_pass: bytes
    into_escrow: int | None
    takes_in: bool
    contested_at: int

    @property
    def id(self) -> bytes:
        """Of the ledger's transaction."""
        return ids.derived_id("settle", self.pay_hash, self.attempt)

    @property
    def rest(self) -> int:
        """What is open once all that is set aside is paid."""
        return self.amount - self.paid - self.taking

    @property
    def taking(self) -> int:
        """What is set aside."""
        return self.escrow + self.wallet + self.fund

    @property
    def posting(self) -> int:
        """What the ledger is asked for."""
        return self.taking - self.barred

    @property
    def credited(self) -> int:
        """The account that is credited."""
        return self.into_escrow or self.payee_account

    def command(self) -> Transaction:
        """What the ledger is asked for: always the same for one attempt."""
        shares = (
            (self.escrow_account or 0, self.escrow - self.barred),
            (self.payer_wallet, self.wallet),
            (house_account(Purpose.GUARANTEE, self.currency), self.fund),
        )
        legs = tuple(
            Leg(account, self.credited, amount, self.currency)
            for account, amount in shares
            if amount
        )
        return Transaction(self.id, self.payee, kind=Kind.SETTLEMENT, postings=legs)


def paid(intent: Intent) -> Intent:
    """The intent after it was posted: everything taken is paid."""
    return replace(
        intent,
        attempt=intent.attempt + 1,
        paid=intent.amount - intent.rest,
        paid_fund=intent.paid_fund + intent.fund,
        escrow=0,
        wallet=0,
        fund=0,
    )


def intent_of(row: Any) -> Intent:
    contested_at = row["contested_at"]
    return Intent(
        pay_hash=row["pay_hash"],
        attempt=row["attempt"],
        payer_pass=row["payer_pass"].bytes,
        payer=row["payer"],
        payee=row["payee"],
        amount=row["amount"],
        paid=row["paid_escrow"] + row["paid_wallet"] + row["paid_fund"],
        paid_fund=row["paid_fund"],
        currency=row["currency"],
        escrow=row["taking_escrow"],
        wallet=row["taking_wallet"],
        fund=row["taking_fund"],
        barred=row["barred"],
        escrow_account=row["escrow_account"],
        payer_wallet=row["payer_wallet"],
        payee_account=row["payee_account"],
        payee_pass=row["payee_pass"].bytes,
        into_escrow=row["into_escrow"],
        takes_in=row["takes_in"],
        contested_at=0 if contested_at is None else to_us(contested_at),
    )

"""Paying one or many: from a request in people's words to one transaction, and its answer.

What is decided here (who is meant, PIN, currency) is not remembered; what the ledger decides is,
under an id that follows from the person and the Idempotency-Key.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta

from tikiwallet import clock, ids
from tikiwallet.errors import InvalidRequest, NotFound, Overloaded, Problem, Unavailable
from tikiwallet.identity.people import People
from tikiwallet.ledger.port import Ledger, Sink
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    Kind,
    Outcome,
    Posting,
    Result,
    State,
    Transaction,
)
from tikiwallet.money import BY_NUMBER, Currency, currency
from tikiwallet.payments.approval import Approval, PayerLimits, PinCheck
from tikiwallet.payments.budget import Budget
from tikiwallet.payments.content import payment_content
from tikiwallet.payments.memos import Memos
from tikiwallet.wallets.directory import WalletDirectory, WalletFacts
from tikiwallet.wallets.refusals import CurrencyMismatch, SameAccount, refusal
from tikiwallet.wallets.wallets import Wallets

MEMO_MAX: Final = 140
PAYEES_MAX: Final = 100
_DEADLINE_SECONDS: Final = 8.0
_UNKNOWN_COST: Final = 5.0  # an unknown name or wallet costs as much as so many refusals
_LOOK_UPS_MAX: Final = 32  # of one person's payments at once; after the first, the rest find it all
_NAMES_SECONDS: Final = 5.0  # a name may find a new owner; this long an old answer may be used


class UnknownRecipient(Problem):
    code = "unknown_recipient"
    title = "Nobody can be reached under this name, number or wallet"


class MoneyAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`amount` minor units of `currency`, an ISO code."""

    amount: Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]
    currency: Annotated[str, Meta(min_length=3, max_length=3)]


class Payee(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`to`: a phone, an @username or a wallet id."""

    to: Annotated[str, Meta(min_length=2, max_length=64)]
    amount: MoneyAsked


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A passkey's answer to POST /v1/payments/confirmation; stands in for the PIN."""

    id: Annotated[str, Meta(max_length=64)]
    credential: dict[str, Any]


class PaymentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The body of POST /v1/payments."""

    from_wallet: Annotated[str, Meta(max_length=64)]
    payees: Annotated[list[Payee], Meta(min_length=1, max_length=PAYEES_MAX)]
    memo: Annotated[str, Meta(max_length=MEMO_MAX)] | None = None
    pin: Annotated[str, Meta(max_length=12)] | None = None
    confirmation: Confirmation | None = None


class BalanceTold(msgspec.Struct, frozen=True, gc=False):
    """A wallet's balance in minor units; `version` rises with each change of the account."""

    wallet_id: str
    currency: str
    available: int
    held: int
    posted: int
    version: int


class MoneyTold(msgspec.Struct, frozen=True, gc=False):
    """`amount` minor units of `currency`."""

    amount: int
    currency: str


class PostingTold(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One payee's part; `to` is as it was asked."""

    to: str
    amount: MoneyTold
    fee: MoneyTold | None = None


class PaymentTold(msgspec.Struct, frozen=True, gc=False):
    """The answer to a payment; it holds nothing that its request and its log rows do not."""

    id: str
    status: str
    created_at: str
    postings: list[PostingTold]
    balance: BalanceTold


class ConfirmationCheck(Protocol):
    """What paying needs of passkeys."""

    async def check(self, person: int, id: str, credential: dict[str, Any], content: bytes) -> None:
        """Returns when a passkey of `person` confirmed exactly `content`. Raises Problem."""
        ...


def balance_told(wallet_id: str, state: State) -> BalanceTold:
    """A wallet's state in the words of the API."""
    posted = state.posted_credits - state.posted_debits
    held = state.pending_debits
    return BalanceTold(
        wallet_id, BY_NUMBER[state.currency].code, posted - held, held, posted, state.seq
    )


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A payment somebody asked for: its ledger id, the digest of what was asked, and when (on
    `time.monotonic()`) it is too late to carry it out."""

    id: bytes
    digest: bytes
    person: int
    request: PaymentRequest
    deadline: float


class Payments:
    """Pays. All state is in the ledger; only facts that do not change are remembered here."""

    def __init__(
        self,
        ledger: Ledger,
        directory: WalletDirectory,
        wallets: Wallets,
        people: People,
        pins: PinCheck,
        confirmations: ConfirmationCheck,
        payers: PayerLimits,
        memos: Memos,
        digest_key: bytes,
        budget: Budget | None = None,
    ) -> None:
        """`digest_key` keeps who reads the log from trying what a sealed memo might say."""
        self._ledger = ledger
        self._directory = directory
        self._wallets = wallets
        self._people = people
        self._approval = Approval(pins, payers)
        self._confirmations = confirmations
        self._payers = payers
        self._seal = memos.seal
        self._digest_key = digest_key
        self._budget = budget or Budget()
        self._names: dict[str, tuple[int, float]] = {}
        self._looking_up: dict[int, int] = {}  # how many payments of a person

    def asked(self, person: int, key: str, request: PaymentRequest) -> "Asked":
        """`request` with the id and digest that follow from it. Raises RefusedTooOften."""
        self._budget.check(person)
        content = (request.from_wallet, request.payees, request.memo)
        digest = sha256(self._digest_key + _ENCODER.encode(content)).digest()
        deadline = time.monotonic() + _DEADLINE_SECONDS
        return Asked(ids.derived_id("payment", person, key), digest, person, request, deadline)

    async def carry_out(self, asked: "Asked") -> tuple[PaymentTold, bool]:
        """The answer to what was asked, whatever has to be looked up for it. Raises Problem."""
        try:
            with self._look_up_of(asked.person):
                postings = await self._understand(asked.person, asked.request)
                limited = await self._approval.count(
                    asked.person,
                    asked.id,
                    BY_NUMBER[postings[0].currency],
                    sum(posting.amount for posting in postings),
                )
        except (Overloaded, Unavailable):  # nothing about what was asked, and no fault of theirs
            raise
        except Problem:
            # It may have been paid when its names still meant somebody: then that is the answer.
            self._budget.spend(asked.person, _UNKNOWN_COST)
            outcome = await self._ledger.look_up(asked.id, asked.digest)
            if outcome is None:
                raise
            return _answer(asked, outcome)
        outcome = await self._ledger.post(self._order(asked, postings), asked.deadline)
        if limited and outcome.result and not Result(outcome.result).retryable:
            await self._approval.give_back(asked.person, asked.id)
        return self.told(asked, outcome)

    @contextmanager
    def _look_up_of(self, person: int) -> Iterator[None]:
        """Inside, something is looked up for a payment of `person`. Raises Overloaded when much is
        already: a loud caller does not take the database's connections from everybody."""
        count = self._looking_up.get(person, 0)
        if count >= _LOOK_UPS_MAX:
            raise Overloaded
        self._looking_up[person] = count + 1
        try:
            yield
        finally:
            left = self._looking_up[person] - 1
            if left:
                self._looking_up[person] = left
            else:
                del self._looking_up[person]

    def enter(self, asked: "Asked", sink: Sink) -> bool:
        """Send what was asked to the ledger at once, its outcome to `sink`; False when something
        has to be looked up or refused first, which is for `carry_out`."""
        postings = self._understood(asked.person, asked.request)
        if postings is None:
            return False
        self._ledger.enter(self._order(asked, postings), sink, 0, asked.deadline)
        return True

    def told(self, asked: "Asked", outcome: Outcome) -> tuple[PaymentTold, bool]:
        """What the ledger decided, as `pay` tells it. Raises Problem."""
        if outcome.replayed or (outcome.result and not Result(outcome.result).retryable):
            self._budget.spend(asked.person)  # not for want of room: that is no fault of theirs
        return _answer(asked, outcome)

    def _order(self, asked: "Asked", postings: tuple[Posting, ...]) -> Transaction:
        """The command for the ledger."""
        memo = asked.request.memo
        text = self._seal(asked.id, memo) if memo else ""
        return Transaction(asked.id, asked.person, asked.digest, Kind.PAYMENT, postings, text)

    def _understood(self, person: int, request: PaymentRequest) -> tuple[Posting, ...] | None:
        """`_understand` from memory alone; None where that does not suffice for a clear yes."""
        account = ids.read_id("w", request.from_wallet)
        payer = None if account is None else self._directory.known(account)
        if payer is None or payer.person != person:
            return None
        if request.pin is not None or request.confirmation is not None:
            return None
        facts = self._payers.known(person)
        if facts is None or facts.restricted_until:
            return None
        if request.memo is not None and not request.memo.isprintable():
            return None
        money = BY_NUMBER[payer.currency]
        postings = []
        total = 0
        for payee in request.payees:
            amount = payee.amount
            to = self._known_account(payee.to, payer.currency)
            if to is None or to == payer.id or amount.currency != money.code:
                return None
            total += amount.amount
            postings.append(Posting(payer.id, to, amount.amount, payer.currency))
        return None if total > self._approval.threshold(facts, money) else tuple(postings)

    def _known_account(self, to: str, currency: int) -> int | None:
        """`_account_of` from memory alone; None says nothing."""
        if to[:2] == "w_":
            account = ids.read_id("w", to)
            facts = None if account is None else self._directory.known(account)
            return account if facts is not None and facts.currency == currency else None
        remembered = self._names.get(to)
        if remembered is None or remembered[1] <= time.monotonic():
            return None
        return self._directory.wallet_of(remembered[0], currency)

    async def _understand(self, person: int, request: PaymentRequest) -> tuple[Posting, ...]:
        payer = await self.own_wallet(person, request.from_wallet)
        money = BY_NUMBER[payer.currency]
        if request.memo is not None:
            _check_memo(request.memo)
        await self._check_total(person, money, request)
        wallets = await self._named_wallets(request)
        postings = []
        for payee in request.payees:
            if payee.amount.currency != money.code:
                currency(payee.amount.currency)  # a code that nobody knows is told as that
                raise CurrencyMismatch(
                    f"This wallet holds {money.code}; the amount is in {payee.amount.currency}"
                )
            account = await self._account_of(payee.to, money, wallets)
            if account == payer.id:
                raise SameAccount("Money cannot be paid to the wallet that it comes from")
            postings.append(Posting(payer.id, account, payee.amount.amount, payer.currency))
        return tuple(postings)

    async def _named_wallets(self, request: PaymentRequest) -> dict[int, WalletFacts]:
        """Those wallets that are named by id and exist, with one question for all."""
        named = (ids.read_id("w", payee.to) for payee in request.payees if payee.to[:2] == "w_")
        return await self._directory.load(account for account in named if account is not None)

    async def own_wallet(self, person: int, wallet_id: str) -> WalletFacts:
        """The facts of a wallet that belongs to `person`. Raises NotFound, also when it exists but
        is somebody else's."""
        account = ids.read_id("w", wallet_id)
        if account is None:
            raise NotFound("There is no such wallet, or it is not yours")
        facts = self._directory.known(account)
        if facts is None:
            facts = (await self._directory.load([account])).get(account)
        if facts is None or facts.person != person:
            raise NotFound("There is no such wallet, or it is not yours")
        return facts

    async def _account_of(self, to: str, money: Currency, wallets: dict[int, WalletFacts]) -> int:
        """The account that `to` is paid into; `wallets` holds those named by id. A person who has
        no wallet in this currency yet is given one: money that is sent should arrive."""
        if to[:2] == "w_":
            account = ids.read_id("w", to)
            facts = None if account is None else wallets.get(account)
            if facts is None:
                raise UnknownRecipient(f"There is no wallet {to}")
            if facts.currency != money.number:
                raise CurrencyMismatch(f"The wallet {to} does not hold {money.code}")
            return facts.id
        person = await self._person_of(to)
        wallet = self._directory.wallet_of(person, money.number)
        if wallet is None:
            wallet = self._directory.remember(await self._wallets.of(person, money)).id
        return wallet

    async def _person_of(self, to: str) -> int:
        now = time.monotonic()
        remembered = self._names.get(to)
        if remembered is not None and remembered[1] > now:
            return remembered[0]
        found = await self._people.find(to)
        if found is None:
            raise UnknownRecipient(f"Nobody is registered as {to}")
        if len(self._names) >= 50_000:
            self._names.clear()
        self._names[to] = (found.id, now + _NAMES_SECONDS)
        return found.id

    async def _check_total(self, person: int, money: Currency, request: PaymentRequest) -> None:
        """The sum in bounds, and the PIN where it needs one; before names are resolved and wallets
        opened for anybody."""
        total = sum(payee.amount.amount for payee in request.payees)
        if total > AMOUNT_MAX:
            raise InvalidRequest("All amounts together are more than can be paid at once")
        if request.confirmation is not None:
            await self._check_confirmation(person, request, request.confirmation)
        else:
            await self._approval.check_pin(person, money, total, request.pin)

    async def _check_confirmation(
        self, person: int, request: PaymentRequest, confirmation: Confirmation
    ) -> None:
        if request.pin is not None:
            raise InvalidRequest("A PIN or a confirmation, not both", pointer="/confirmation")
        payees = [(p.to, p.amount.amount, p.amount.currency) for p in request.payees]
        content = payment_content(request.from_wallet, payees, request.memo)
        await self._confirmations.check(person, confirmation.id, confirmation.credential, content)


def _answer(asked: "Asked", outcome: Outcome) -> tuple[PaymentTold, bool]:
    """What is told, from the request and what its log rows hold. Raises what the ledger refused."""
    id_ = ids.write_uuid(asked.id)
    if outcome.result:
        problem = refusal(outcome.result)
        problem.replayed = outcome.replayed
        problem.instance = id_  # the same in the answer and in its replays
        raise problem
    assert outcome.payer is not None
    postings = [
        PostingTold(payee.to, MoneyTold(payee.amount.amount, payee.amount.currency))
        for payee in asked.request.payees
    ]
    balance = balance_told(asked.request.from_wallet, outcome.payer)
    at = clock.rfc3339(outcome.at)
    return PaymentTold(id_, "posted", at, postings, balance), outcome.replayed


def _check_memo(memo: str) -> None:
    if "\0" in memo or any(letter < " " and letter != "\n" for letter in memo):
        raise InvalidRequest("The memo must be plain text", pointer="/memo")
    try:
        memo.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("The memo must be valid Unicode", pointer="/memo") from None


_ENCODER: Final = msgspec.json.Encoder()

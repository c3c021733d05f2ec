"""The fast lane: the three calls that carry the load, past the framework. All else is FastAPI's.

`FastLane.serve` takes a whole request and answers it through a function: at once where everything
is in memory, from the ledger's outcome where money moves, and from a task only where something has
to be looked up first. `server.FastProtocol` calls it straight from the parser; as an ASGI
application the lane serves whatever comes in any other shape (chunked, pipelined, in tests).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from tikiwallet import ids, logs
from tikiwallet.errors import NotFound, Overloaded, Problem
from tikiwallet.identity.origin import set_origin
from tikiwallet.identity.sightings import Sightings
from tikiwallet.identity.tokens import TokenVerifier
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import AccountType, Outcome, Result, State
from tikiwallet.money import BY_NUMBER
from tikiwallet.payments.pay import Asked, PaymentRequest, Payments, PaymentTold
from tikiwallet.wallets.directory import WalletDirectory
from tikiwallet.web.api.bodies import read_members
from tikiwallet.web.cookies import BrowserCookies
from tikiwallet.web.decoding import invalid
from tikiwallet.web.devices import describe
from tikiwallet.web.edge import (
    BODY_MAX,
    NO_STORE,
    REQUEST_ID_HEADER,
    request_id_of,
)
from tikiwallet.web.errors import (
    BodyTooLarge,
    InternalError,
    MalformedJson,
    MethodNotAllowed,
    UnsupportedMediaType,
    render,
)
from tikiwallet.web.headers import Header
from tikiwallet.web.idempotency import IdempotencyKeyInvalid, parse_key
from tikiwallet.web.metrics import Latencies

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]
Answer: TypeAlias = Callable[[int, tuple[tuple[bytes, bytes], ...], bytes], None]

_JSON: Final = (b"content-type", b"application/json")
_REPLAYED: Final = (b"idempotent-replayed", b"true")
_CROWDED_SECONDS: Final = 0.05  # after the ledger had no room for a person's payment
_CROWDED_MAX: Final = 10_000
_OVERLOADED: Final = int(Result.OVERLOADED)  # each payment is compared with it
_log = logs.get(__name__)


class BalancesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/balances/query."""

    wallet_ids: Annotated[list[str], Meta(min_length=1, max_length=1000)]


_payment_decoder = msgspec.json.Decoder(PaymentRequest)
_query_decoder = msgspec.json.Decoder(BalancesQuery)
_encode = msgspec.json.Encoder().encode
_CODES: Final = {number: money.code.encode() for number, money in BY_NUMBER.items()}


class Call(NamedTuple):
    """One of the lane's calls: its method, its route for the metrics, and what carries it out."""

    method: str
    method_bytes: bytes
    takes_body: bool
    route: str
    handle: "Callable[[Exchange], None]"


class Exchange:
    """One request on its way through the lane, and the way back to whoever asked."""

    __slots__ = ("_answer", "_began", "_lane", "asked", "body", "call", "headers", "path")
    asked: Asked

    def __init__(
        self, lane: "FastLane", call: Call, path: str, headers: Headers, body: bytes, answer: Answer
    ) -> None:
        self._lane = lane
        self.call = call
        self.path = path
        self.headers = headers
        self.body = body
        self._answer = answer
        self._began = time.perf_counter()

    def settle(self, slot: int, outcome: Outcome) -> None:
        """What the ledger decided about a payment; implements `ledger.port.Sink`."""
        if outcome.result == _OVERLOADED:  # nothing was done: let go of it at once
            self._lane.crowd(self.asked.person)
            self.tell(outcome)
        else:
            self._lane.tell_soon(self, outcome)

    def tell(self, outcome: Outcome) -> None:
        """Answer with the outcome."""
        try:
            told, replayed = self._lane.payments.told(self.asked, outcome)
        except Exception as error:
            self.refuse(error)
        else:
            self.tell_payment(told, replayed)

    def tell_payment(self, told: PaymentTold, replayed: bool) -> None:
        """Answer with a payment."""
        lane = self._lane
        self.answer(201, lane.again if replayed else lane.ok, _encode(told))

    def refuse(self, error: Exception) -> None:
        """Answer with a problem; with `internal_error` when `error` is none."""
        request_id = request_id_of(self.headers)
        if not isinstance(error, Problem):
            _log.error("a bug", request_id=request_id, route=self.call.route, exc_info=error)
            error = InternalError()
        status, headers, body = render(error, error.instance or request_id)
        more = [*self._lane.always, (REQUEST_ID_HEADER, request_id.encode())]
        if error.replayed:
            more.append(_REPLAYED)
        if isinstance(error, MethodNotAllowed):
            more.append((b"allow", self.call.method.encode()))
        kept = [header for header in headers if header[0] != b"content-length"]
        self.answer(status, (*kept, *more), body)

    def answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """Answer, and count it."""
        self._answer(status, headers, body)
        call = self.call
        self._lane.observe(call.method, call.route, status, time.perf_counter() - self._began)


class FastLane:
    """Answers the three calls; as an ASGI application, it hands everything else on."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        payments: Payments,
        directory: WalletDirectory,
        verifier: TokenVerifier,
        cookies: BrowserCookies,
        sightings: Sightings,
        latencies: Latencies,
        every: Sequence[Header],
        rest: Application,
    ) -> None:
        """`every`: headers of each answer; `rest`: who serves all else."""
        self.always = (NO_STORE, *every)
        self.ok = (_JSON, *self.always)
        self.again = (*self.ok, _REPLAYED)
        self.payments = payments
        self.observe = latencies.observe
        self._ledger = ledger
        self._directory = directory
        self._verify = verifier.verify
        self._note = sightings.note
        self._authorization = cookies.authorization
        self._rest = rest
        self._tasks: set[asyncio.Task[None]] = set()
        self._decided: list[tuple[Exchange, Outcome]] = []
        self._crowded: dict[int, float] = {}  # until when a person's payments are not even read
        self._pay_call = Call("POST", b"POST", True, "/v1/payments", self._pay)
        self._query_call = Call("POST", b"POST", True, "/v1/balances/query", self._query)
        self._balance_call = Call("GET", b"GET", False, "/v1/wallets/{id}/balance", self._balance)

    def call_at(self, path: str) -> Call | None:
        """The call that `path` names; None when it is not one of the lane's."""
        if path == "/v1/payments":
            return self._pay_call
        if path.endswith("/balance") and path.startswith("/v1/wallets/"):
            return self._balance_call
        return self._query_call if path == "/v1/balances/query" else None

    def serve(self, call: Call, path: str, headers: Headers, body: bytes, answer: Answer) -> None:
        """Carry out `call`, whose method was checked. Never raises; `answer` is called once, now
        or later, with status, headers and body."""
        exchange = Exchange(self, call, path, headers, body, answer)
        try:
            call.handle(exchange)
        except Exception as error:
            exchange.refuse(error)

    def crowd(self, person: int) -> None:
        """Refuse the next payments of `person` unread: the ledger has no room for them, and to read
        a hundred payees for that would take the time away from everybody."""
        if len(self._crowded) >= _CROWDED_MAX:
            self._crowded.clear()
        self._crowded[person] = time.monotonic() + _CROWDED_SECONDS

    def _check_room(self, person: int) -> None:
        until = self._crowded.get(person)
        if until is not None:
            if time.monotonic() < until:
                raise Overloaded
            del self._crowded[person]

    def tell_soon(self, exchange: Exchange, outcome: Outcome) -> None:
        """Answer once the writer has handed its next batch to the database: then this side writes
        answers while that side writes rows."""
        if not self._decided:
            asyncio.get_running_loop().call_soon(self._tell_all)
        self._decided.append((exchange, outcome))

    def _tell_all(self) -> None:
        decided, self._decided = self._decided, []
        for exchange, outcome in decided:
            exchange.tell(outcome)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        call = self.call_at(scope["path"]) if scope["type"] == "http" else None
        if call is None:
            await self._rest(scope, receive, send)
            return
        answered: asyncio.Future[tuple[int, tuple[tuple[bytes, bytes], ...], bytes]] = (
            asyncio.get_running_loop().create_future()
        )

        def answer(status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
            if not answered.done():  # the caller may have gone away
                answered.set_result((status, headers, body))

        path, headers = scope["path"], scope["headers"]
        try:
            if scope["method"] != call.method:
                raise MethodNotAllowed(allow=call.method)
            read = await _body(receive)
        except Problem as problem:
            Exchange(self, call, path, headers, b"", answer).refuse(problem)
        else:
            self.serve(call, path, headers, read, answer)
        status, more, body = await answered
        more = (*more, (b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": list(more)})
        await send({"type": "http.response.body", "body": body})

    def _later(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        """Go on in a task, because something has to be waited for."""

        async def run() -> None:
            try:
                await work
            except Exception as error:
                exchange.refuse(error)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- balances

    def _balance(self, exchange: Exchange) -> None:
        principal = self._verify(self._authorization(exchange.headers, "GET"))
        principal.require("person")
        self._note(principal.session)
        wallet_id = exchange.path[12:-8]
        account = ids.read_id("w", wallet_id)
        if account is None:
            raise NotFound("There is no such wallet, or it is not yours")
        facts = self._directory.known(account)
        if facts is not None and facts.person == principal.person:
            states = self._ledger.states_now((account,))
            if states is not None:
                self._tell_balance(exchange, wallet_id, states[0])
                return
        self._later(exchange, self._balance_later(exchange, principal.person, wallet_id))

    async def _balance_later(self, exchange: Exchange, person: int, wallet_id: str) -> None:
        facts = await self.payments.own_wallet(person, wallet_id)
        self._tell_balance(exchange, wallet_id, (await self._ledger.states((facts.id,)))[0])

    def _tell_balance(self, exchange: Exchange, wallet_id: str, state: State | None) -> None:
        if state is None:
            raise NotFound("There is no such wallet, or it is not yours")
        exchange.answer(200, self.ok, _balance_json(wallet_id, state))

    # -- payments

    def _pay(self, exchange: Exchange) -> None:
        authorization = key = content_type = None
        for name, value in exchange.headers:
            if name == b"authorization":
                authorization = value
            elif name == b"idempotency-key":
                if key is not None and key != value:
                    raise IdempotencyKeyInvalid("Two different Idempotency-Key headers")
                key = value
            elif name == b"content-type":
                content_type = value
        if authorization is None:
            authorization = self._authorization(exchange.headers, "POST")
        principal = self._verify(authorization)
        principal.require("person")
        self._note(principal.session)
        self._check_room(principal.person)
        written_key = parse_key(key)
        body = exchange.body
        request = _decode(_payment_decoder, body, content_type)
        # A colon per member, and no other: then none can be there twice, without reading it again.
        if body.count(b":") != 2 + (request.memo is not None) + 4 * len(request.payees):
            read_members(body)
        exchange.asked = self.payments.asked(principal.person, written_key, request)
        if not self.payments.enter(exchange.asked, exchange):
            self._later(exchange, self._pay_later(exchange))

    async def _pay_later(self, exchange: Exchange) -> None:
        if exchange.asked.request.pin is not None:  # a wrong one is told in the audit trail
            agent = next((value for name, value in exchange.headers if name == b"user-agent"), b"")
            set_origin(describe(agent.decode("latin-1")), None)
        told, replayed = await self.payments.carry_out(exchange.asked)
        exchange.tell_payment(told, replayed)

    # -- many balances

    def _query(self, exchange: Exchange) -> None:
        headers = dict(exchange.headers)
        # A service's token comes in the header alone: no browser holds one.
        self._verify(headers.get(b"authorization", b"")).require("balances:read")
        query = _decode(_query_decoder, exchange.body, headers.get(b"content-type"))
        accounts = [ids.read_id("w", written) or 0 for written in query.wallet_ids]
        states = self._ledger.states_now(accounts)
        if states is None:
            self._later(exchange, self._query_later(exchange, query.wallet_ids, accounts))
        else:
            self._tell_balances(exchange, query.wallet_ids, states)

    async def _query_later(
        self, exchange: Exchange, wallet_ids: list[str], accounts: list[int]
    ) -> None:
        self._tell_balances(exchange, wallet_ids, await self._ledger.states(accounts))

    def _tell_balances(
        self, exchange: Exchange, wallet_ids: list[str], states: list[State | None]
    ) -> None:
        items = []
        missing = []
        for wallet_id, state in zip(wallet_ids, states, strict=True):
            if state is None or state.type != AccountType.WALLET:
                missing.append(wallet_id)
            else:
                items.append(_balance_json(wallet_id, state))
        body = b'{"items":[%b],"missing":%b}' % (b",".join(items), _encode(missing))
        exchange.answer(200, self.ok, body)


def _balance_json(wallet_id: str, state: State) -> bytes:
    # Every part is a number or made of letters that JSON takes as they are.
    posted = state.posted_credits - state.posted_debits
    held = state.pending_debits
    return (
        b'{"wallet_id":"%b","currency":"%b","available":%d,"held":%d,"posted":%d,"version":%d}'
        % (wallet_id.encode(), _CODES[state.currency], posted - held, held, posted, state.seq)
    )


async def _body(receive: Receive) -> bytes:
    """The request's body. Raises BodyTooLarge as soon as it is known to be."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > BODY_MAX:
            raise BodyTooLarge
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MalformedJson("The body ended early")
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_MAX:
            raise BodyTooLarge
        parts.append(part)
    return b"".join(parts)


def _decode(decoder: msgspec.json.Decoder, body: bytes, content_type: bytes | None) -> Any:  # type: ignore[type-arg]
    if content_type is not None and not content_type.startswith(b"application/json"):
        raise UnsupportedMediaType
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedJson from None

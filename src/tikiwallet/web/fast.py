"""The fast lane: the three calls that carry the load, straight on ASGI. All else is FastAPI's.

Tokens that were verified are remembered until they expire or are revoked; bodies are decoded into
the types they must have; a balance in this process's own writer costs no task and no wait.
"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from tikiwallet import ids, logs
from tikiwallet.errors import InvalidRequest, NotFound, Problem
from tikiwallet.identity.tokens import TokenMissing, TokenVerifier
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import AccountType, State
from tikiwallet.money import BY_NUMBER
from tikiwallet.payments.pay import PaymentRequest, Payments
from tikiwallet.wallets.directory import WalletDirectory
from tikiwallet.web.api.bodies import read_members
from tikiwallet.web.edge import (
    BODY_MAX,
    NO_SNIFF,
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
from tikiwallet.web.idempotency import IdempotencyKeyInvalid, parse_key
from tikiwallet.web.metrics import Latencies

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_ALWAYS: Final = [NO_STORE, NO_SNIFF]
_OK: Final = [(b"content-type", b"application/json"), *_ALWAYS]
_REPLAYED: Final = (b"idempotent-replayed", b"true")
_AGAIN: Final = [*_OK, _REPLAYED]
_BALANCE_ROUTE: Final = "/v1/wallets/{id}/balance"
_log = logs.get(__name__)


class BalancesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/balances/query."""

    wallet_ids: Annotated[list[str], Meta(min_length=1, max_length=1000)]


_payment_decoder = msgspec.json.Decoder(PaymentRequest)
_query_decoder = msgspec.json.Decoder(BalancesQuery)
_encode = msgspec.json.Encoder().encode
_CODES: Final = {number: money.code.encode() for number, money in BY_NUMBER.items()}


class FastLane:
    """An ASGI application that answers the three calls and hands everything else on."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        payments: Payments,
        directory: WalletDirectory,
        verifier: TokenVerifier,
        latencies: Latencies,
        rest: Application,
    ) -> None:
        self._ledger = ledger
        self._payments = payments
        self._directory = directory
        self._verify = verifier.verify
        self._latencies = latencies
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path: str = scope["path"]
        if path == "/v1/payments":
            await self._serve("POST", path, self._pay, scope, receive, send)
        elif path.endswith("/balance") and path.startswith("/v1/wallets/"):
            await self._serve("GET", _BALANCE_ROUTE, self._balance, scope, receive, send)
        elif path == "/v1/balances/query":
            await self._serve("POST", path, self._query, scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def _serve(
        self,
        method: str,
        route: str,
        handler: Callable[
            [Scope, Receive], Awaitable[tuple[int, list[tuple[bytes, bytes]], bytes]]
        ],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        began = time.perf_counter()
        try:
            if scope["method"] != method:
                raise MethodNotAllowed(allow=method)
            status, headers, body = await handler(scope, receive)
        except Problem as problem:
            status, headers, body = _refused(scope, problem, method)
        except Exception:
            request_id = request_id_of(scope["headers"])
            _log.exception("a bug", request_id=request_id, route=route)
            status, headers, body = render(InternalError(), request_id)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._latencies.observe(method, route, status, time.perf_counter() - began)

    async def _balance(
        self, scope: Scope, receive: Receive
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        authorization = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
                break
        if authorization is None:
            raise TokenMissing
        principal = self._verify(authorization)
        principal.require("person")
        wallet_id: str = scope["path"][12:-8]
        account = ids.read_id("w", wallet_id)
        if account is None:
            raise NotFound("There is no such wallet, or it is not yours")
        facts = self._directory.known(account)
        if facts is None or facts.person != principal.person:
            facts = await self._payments.own_wallet(principal.person, wallet_id)
        states = self._ledger.states_now((account,))
        if states is None:
            states = await self._ledger.states((account,))
        state = states[0]
        if state is None:
            raise NotFound("There is no such wallet, or it is not yours")
        return 200, _OK, _balance_json(wallet_id, state)

    async def _pay(
        self, scope: Scope, receive: Receive
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        authorization = key = content_type = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"idempotency-key":
                if key is not None and key != value:
                    raise IdempotencyKeyInvalid("Two different Idempotency-Key headers")
                key = value
            elif name == b"content-type":
                content_type = value
        if authorization is None:
            raise TokenMissing
        principal = self._verify(authorization)
        principal.require("person")
        written_key = parse_key(key)
        body = await _body(receive)
        request = _decode(_payment_decoder, body, content_type)
        # A colon per member, and no other: then none can be there twice, without reading it again.
        if body.count(b":") != 2 + (request.memo is not None) + 4 * len(request.payees):
            read_members(body)
        answer, replayed = await self._payments.pay(principal.person, written_key, request)
        return 201, _AGAIN if replayed else _OK, _encode(answer)

    async def _query(
        self, scope: Scope, receive: Receive
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization")
        if authorization is None:
            raise TokenMissing
        self._verify(authorization).require("balances:read")
        body = await _body(receive)
        query = _decode(_query_decoder, body, headers.get(b"content-type"))
        accounts = [ids.read_id("w", written) or 0 for written in query.wallet_ids]
        states = self._ledger.states_now(accounts)
        if states is None:
            states = await self._ledger.states(accounts)
        items = []
        missing = []
        for wallet_id, state in zip(query.wallet_ids, states, strict=True):
            if state is None or state.type != AccountType.WALLET:
                missing.append(wallet_id)
            else:
                items.append(_balance_json(wallet_id, state))
        return 200, _OK, b'{"items":[%b],"missing":%b}' % (b",".join(items), _encode(missing))


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
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedJson from None


_PLAIN: Final = (
    (re.compile("Expected `int`, got .*"), "must be a whole number"),
    (re.compile("Expected `int` >= (.*)"), r"must be at least \1"),
    (re.compile("Expected `int` <= (.*)"), r"must be at most \1"),
    (re.compile("Integer value out of range"), "is too large"),
    (re.compile("Expected `str`, got .*"), "must be text"),
    (re.compile("Expected `str` of length >= (.*)"), r"must have at least \1 characters"),
    (re.compile("Expected `str` of length <= (.*)"), r"must have at most \1 characters"),
    (re.compile("Expected `array` of length >= (.*)"), r"must have at least \1 items"),
    (re.compile("Expected `array` of length <= (.*)"), r"must have at most \1 items"),
    (re.compile("Expected `array`, got .*"), "must be a list"),
    (re.compile("Expected `object`, got .*"), "must be an object"),
    (re.compile("Expected `str \\| null`, got .*"), "must be text or null"),
    (re.compile("Object contains unknown field `(.*)`"), r"has a member that is not known: \1"),
    (re.compile("Object missing required field `(.*)`"), r"lacks the member \1"),
)


def _invalid(message: str) -> InvalidRequest:
    """What msgspec found wrong, in plain words and with a JSON pointer."""
    what, _, where = message.partition(" - at ")
    pointer = re.sub(r"[.\[]", "/", where.strip("`").removeprefix("$")).replace("]", "")
    for pattern, plain in _PLAIN:
        if pattern.fullmatch(what):
            what = pattern.sub(plain, what)
            break
    return InvalidRequest(
        f"{pointer or 'the body'} {what}", errors=[{"pointer": pointer, "message": what}]
    )


def _refused(
    scope: Scope, problem: Problem, method: str
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    request_id = request_id_of(scope["headers"])
    status, headers, body = render(problem, problem.instance or request_id)
    headers += [*_ALWAYS, (REQUEST_ID_HEADER, request_id.encode())]
    if problem.replayed:
        headers.append(_REPLAYED)
    if isinstance(problem, MethodNotAllowed):
        headers.append((b"allow", method.encode()))
    return status, headers, body

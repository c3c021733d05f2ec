"""Twenty people who pay each other over HTTP, look at balances, and repeat themselves.

Each does one thing after another on a connection of their own, so that the load is bounded by how
fast they are answered. What they were told goes into the book.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

from tests.faults.book import PAID, REFUSED, Book, Payment, Person
from tests.faults.wire import ANSWER_SECONDS, Answer, Hung, Line, Lost

TOP_UP = 5_000  # cents; small enough that many payments find too little
_SMALL = 400
_THOUGHT_SECONDS = 0.02  # at most, between two requests of one person
_RESOLVE_SECONDS = 30.0


async def sign_up(port: int, count: int, top_up: int = TOP_UP, first: int = 0) -> list[Person]:
    """Register `count` people with a topped-up wallet each, some at a time."""
    turns = asyncio.Semaphore(4)

    async def one(index: int) -> Person:
        async with turns:
            line = Line(port)
            try:
                return await _sign_up_one(line, index, top_up)
            finally:
                await line.close()

    return list(await asyncio.gather(*(one(first + index) for index in range(count))))


async def _sign_up_one(line: Line, index: int, top_up: int) -> Person:
    phone, username = f"+6591{index:06d}", f"crowd{index:04d}"
    asked = {"phone": phone, "username": username, "password": f"long enough {username}"}
    registered = await _expect(line, 202, "/v1/auth/register", asked)
    inbox = await line.call("GET", f"/dev/inbox?phone={quote(phone)}")
    code = next(message["code"] for message in inbox.body["items"] if message["code"])
    tokens = await _expect(line, 201, "/v1/auth/verify", {**registered.body, "code": code})
    token = tokens.body["access_token"]
    opened = await _expect(line, 201, "/v1/wallets", {"currency": "SGD"}, token)
    wallet = opened.body["id"]
    body = {
        "wallet": wallet,
        "amount": {"amount": top_up, "currency": "SGD"},
        "method": "pm_card_visa",
    }
    topped = await line.call("POST", "/v1/topups", body, token=token, key="first")
    assert topped.status == 201, topped.raw
    ends = time.monotonic() + 10
    path = f"/v1/topups/{topped.body['id']}"
    while topped.body["status"] != "succeeded":
        assert time.monotonic() < ends, topped.raw
        topped = await line.call("GET", path, token=token)
    return Person(index, phone, username, token, wallet, top_up)


async def _expect(
    line: Line, status: int, path: str, body: object, token: str | None = None
) -> Answer:
    answer = await line.call("POST", path, body, token=token)
    assert answer.status == status, (path, answer)
    return answer


class Crowd:
    """The people of a book at work against one or several API processes."""

    def __init__(
        self, book: Book, ports: Sequence[int], seed: int, patience: float = ANSWER_SECONDS
    ) -> None:
        """`patience`: seconds after which a request without an answer hangs."""
        self._patience = patience
        self._book = book
        self._ports = list(ports)
        self._seed = seed
        self._serial = 0

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Everybody is at it while the block runs; at its end what is under way is awaited."""
        over = asyncio.Event()
        self._serial += 1
        tasks = [
            asyncio.create_task(self._live(person, over, self._serial))
            for person in self._book.people
        ]
        try:
            yield
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        over.set()
        await asyncio.gather(*tasks)

    async def paid(self, count: int, limit: float = 20.0) -> None:
        """Return once `count` more payments have been posted than at the time of the call."""
        posted = self._book.counts.get(PAID, 0)
        ends = time.monotonic() + limit
        while self._book.counts.get(PAID, 0) < posted + count:
            assert time.monotonic() < ends, f"no {count} payments in {limit:g} s: {self._book}"
            await asyncio.sleep(0.01)

    async def _live(self, person: Person, over: asyncio.Event, serial: int) -> None:
        chance = random.Random(f"{self._seed} {serial} {person.index}")
        lines = [Line(port) for port in self._ports]
        mine = [p for p in self._book.payments if p.payer is person]
        number = 0
        try:
            while not over.is_set():
                line = chance.choice(lines)
                what = chance.random()
                if what < 0.2:
                    await self.look(line, person)
                elif what < 0.3 and mine:
                    await self.ask(line, chance.choice(mine[-50:]))
                else:
                    number += 1
                    payment = self._payment(person, f"{self._seed}-{serial}-{number}", chance)
                    mine.append(payment)
                    if what < 0.36:
                        await self._ask_twice(line, payment)
                    else:
                        await self.ask(line, payment)
                await asyncio.sleep(chance.random() * _THOUGHT_SECONDS)
        finally:
            for line in lines:
                await line.close()

    def _payment(self, payer: Person, key: str, chance: random.Random) -> Payment:
        others = [person for person in self._book.people if person is not payer]
        payees = chance.sample(others, 3 if chance.random() < 0.3 else 1)
        most = 9_000 // len(payees) if chance.random() < 0.1 else _SMALL
        asked = [(payee, chance.randint(1, most)) for payee in payees]
        body: dict[str, object] = {
            "from_wallet": payer.wallet,
            "payees": [
                {
                    "to": chance.choice((payee.wallet, f"@{payee.username}", payee.phone)),
                    "amount": {"amount": amount, "currency": "SGD"},
                }
                for payee, amount in asked
            ],
        }
        if chance.random() < 0.3:
            body["memo"] = f"for {key}"
        payment = Payment(f"{key}-{payer.index}", payer, asked, body)
        self._book.payments.append(payment)
        return payment

    async def ask(self, line: Line, payment: Payment) -> None:
        """Send a payment, for the first time or again, and note what is answered."""
        book = self._book
        known = book.newest.get(payment.payer.wallet, 0)
        answer = await self._call(
            line, "POST", "/v1/payments", payment.body, payment.payer.token, payment.key
        )
        if answer is None:
            return
        if answer.status in (PAID, REFUSED):
            book.answered(payment, answer, known)
        elif answer.status != 503:
            book.wrong(f"{payment.key} was answered {answer}")

    async def _ask_twice(self, line: Line, payment: Payment) -> None:
        """The same payment over two connections at once: one is the first, both are the same."""
        other = Line(line.port)
        try:
            await asyncio.gather(self.ask(line, payment), self.ask(other, payment))
        finally:
            await other.close()

    async def look(self, line: Line, person: Person) -> None:
        """Ask for a person's balance and note what is shown."""
        known = self._book.newest.get(person.wallet, 0)
        path = f"/v1/wallets/{person.wallet}/balance"
        answer = await self._call(line, "GET", path, None, person.token, None)
        if answer is None:
            return
        if answer.status == 200:
            self._book.saw(answer.body, known)
        elif answer.status != 503:
            self._book.wrong(f"a balance was answered {answer}")

    async def _call(
        self, line: Line, method: str, path: str, body: object, token: str, key: str | None
    ) -> Answer | None:
        try:
            answer = await line.call(method, path, body, token=token, key=key, limit=self._patience)
        except Lost:
            self._book.count("lost")
            await asyncio.sleep(0.02)  # as a client would, before it connects again
            return None
        except Hung as hung:
            self._book.wrong(f"no answer to {hung}")
            return None
        self._book.count(answer.status)
        if answer.status == 503 and "retry-after" not in answer.headers:
            self._book.wrong(f"503 without Retry-After: {answer}")
        return answer

    async def resolve(self) -> None:
        """Send every payment without an outcome again under its key, until it has one."""
        ends = time.monotonic() + _RESOLVE_SECONDS
        turns = asyncio.Semaphore(20)

        async def settle(payment: Payment) -> None:
            async with turns:
                line = Line(self._ports[0])
                try:
                    while payment.first is None:
                        assert time.monotonic() < ends, f"{payment.key} is still without outcome"
                        await self.ask(line, payment)
                finally:
                    await line.close()

        async with asyncio.TaskGroup() as group:
            for payment in list(self._book.open_payments()):
                group.create_task(settle(payment))

    async def read_all(self) -> dict[str, int]:
        """What the service says each wallet holds."""
        found = {}
        line = Line(self._ports[0])
        try:
            for person in self._book.people:
                path = f"/v1/wallets/{person.wallet}/balance"
                answer = await line.call("GET", path, token=person.token)
                assert answer.status == 200, answer
                self._book.saw(answer.body, self._book.newest.get(person.wallet, 0))
                found[person.wallet] = answer.body["posted"]
        finally:
            with suppress(Lost):
                await line.close()
        return found

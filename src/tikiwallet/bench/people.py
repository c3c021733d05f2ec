"""People with wallets and money, made through the API that is measured.

Each is registered with a code from the sandbox's inbox, opens wallets and tops one up, exactly as a
phone would; so the load that follows carries tokens and wallets like anybody's.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import quote

from tikiwallet.bench.client import CallFailed, Client
from tikiwallet.bench.lanes import Person

CURRENCY = "SGD"
OTHER_CURRENCIES = ("USD", "EUR", "JPY")
TOP_UP = 1_000_000  # minor units: S$10,000
_AT_ONCE = 6
_TRIES = 400
_PAUSE_SECONDS = 0.05


def phone_of(index: int) -> str:
    """A valid Singapore mobile number for the person `index` (0 to 999,999)."""
    if not 0 <= index < 1_000_000:
        raise ValueError("the bench has a million phone numbers")
    return f"+6591{index:06d}"


def make_people(
    port: int, count: int, advance: Callable[[], None], run: str, first: int = 0
) -> list[Person]:
    """Register `count` people on the service at `port`; `advance` is called for each.

    `run` (a few letters and digits) keeps usernames of different runs apart, `first` the phone
    numbers. Raises CallFailed when the service refuses a step.
    """
    people: list[Person | None] = [None] * count
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(count):
        waiting.put(index)
    failures: list[Exception] = []

    def work() -> None:
        try:
            with Client(port) as client:
                while not failures:
                    index = waiting.get_nowait()
                    people[index] = make_person(client, first + index, run)
                    advance()
        except queue.Empty:
            return
        except Exception as error:  # handed to the caller below
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [person for person in people if person is not None]


def make_person(client: Client, index: int, run: str) -> Person:
    """One person: registered, verified, wallets opened, the first of them topped up."""
    phone = phone_of(index)
    registration = client.expect(
        (202,),
        "POST",
        "/v1/auth/register",
        {"phone": phone, "username": f"b{run}{index:06d}", "password": f"bench {run} {index} way"},
    )
    tokens = client.expect(
        (201,),
        "POST",
        "/v1/auth/verify",
        {"registration_id": registration["registration_id"], "code": _code(client, phone)},
    )
    token = cast(str, tokens["access_token"])
    wallets = tuple(
        cast(
            str,
            client.expect((200, 201), "POST", "/v1/wallets", {"currency": code}, token=token)["id"],
        )
        for code in (CURRENCY, *OTHER_CURRENCIES)
    )
    topup = client.expect(
        (200, 201),
        "POST",
        "/v1/topups",
        {
            "wallet": wallets[0],
            "amount": {"amount": TOP_UP, "currency": CURRENCY},
            "method": "pm_card_visa",
        },
        token=token,
        key=f"bench-{run}-{index}",
    )
    _await_money(client, topup, token)
    return Person(token, wallets)


def _code(client: Client, phone: str) -> str:
    """The one-time code that was sent to `phone`."""
    for _ in range(_TRIES):
        inbox = client.expect((200,), "GET", f"/dev/inbox?phone={quote(phone)}")
        for message in cast(list[dict[str, object]], inbox["items"]):
            if message["code"]:
                return str(message["code"])
        time.sleep(_PAUSE_SECONDS)
    raise CallFailed(f"no code arrived for {phone}")


def _await_money(client: Client, topup: dict[str, object], token: str) -> None:
    """Return once the top-up has succeeded."""
    for _ in range(_TRIES):
        if topup["status"] == "succeeded":
            return
        if topup["status"] == "failed":
            break
        time.sleep(_PAUSE_SECONDS)
        topup = client.expect((200,), "GET", f"/v1/topups/{topup['id']}", token=token)
    raise CallFailed(f"the top-up ended as {topup!r}")

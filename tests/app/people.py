"""People of the app's tests: signed up over HTTP as a browser would, with the cookies it gets."""

import itertools
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

PASSWORD = "salt wind over the lagoon"
PIN = "482915"
_numbers = itertools.count(81_100_001)


@dataclass(frozen=True)
class Somebody:
    """A person with a session. `call` speaks as they do."""

    username: str
    phone: str
    client: httpx.Client

    def call(self, method: str, path: str, body: object = None, *, key: bool = False) -> Any:
        """The answer's JSON; AssertionError when it is a refusal."""
        headers = {"X-CSRF-Token": self.client.cookies["tw_csrf"]}
        if key:
            headers["Idempotency-Key"] = str(uuid4())
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def open_wallet(self, currency: str = "SGD", amount: int = 0) -> str:
        """A wallet's id, with `amount` minor units topped up into it."""
        wallet: str = self.call("POST", "/v1/wallets", {"currency": currency})["id"]
        if amount:
            money = {"amount": amount, "currency": currency}
            body = {"wallet": wallet, "amount": money, "method": "pm_card_visa"}
            told = self.call("POST", "/v1/topups", body, key=True)
            assert told["status"] == "succeeded"
        return wallet

    def pay(self, wallet: str, to: str, amount: int, memo: str | None = None) -> str:
        """Pay in SGD; the payment's id."""
        payees = [{"to": to, "amount": {"amount": amount, "currency": "SGD"}}]
        body = {"from_wallet": wallet, "payees": payees} | ({"memo": memo} if memo else {})
        id: str = self.call("POST", "/v1/payments", body, key=True)["id"]
        return id

    def available(self) -> int:
        """What can be spent of the first wallet, in minor units."""
        amount: int = self.call("GET", "/v1/wallets")["items"][0]["available"]
        return amount

    @property
    def state(self) -> Any:
        """The session as a browser context takes it."""
        cookies = [
            {
                "name": cookie.name,
                "value": cookie.value,
                "domain": "localhost",
                "path": cookie.path,
                "expires": cookie.expires or -1,
                "httpOnly": cookie.name != "tw_csrf",
                "secure": False,
                "sameSite": "Strict",
            }
            for cookie in self.client.cookies.jar
        ]
        return {"cookies": cookies, "origins": []}


class People:
    """Whoever a test needs."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._clients: list[httpx.Client] = []

    def close(self) -> None:
        """Close everybody's connections."""
        for client in self._clients:
            client.close()

    def phone(self) -> str:
        """A number nobody has yet."""
        return f"+65{next(_numbers)}"

    def code(self, phone: str) -> str:
        """The code in the newest message to a phone."""
        answer = httpx.get(f"{self._site}/dev/inbox", params={"phone": phone})
        newest = answer.raise_for_status().json()["items"][0]
        return str(newest["code"])

    def sign_up(self, username: str, *, pin: bool = False) -> Somebody:
        """A new person, without a wallet."""
        phone = self.phone()
        headers = {"Tikiwallet-Session": "cookie", "Origin": self._site}
        client = httpx.Client(base_url=self._site, headers=headers, timeout=30)
        self._clients.append(client)
        body = {"phone": phone, "username": username, "password": PASSWORD}
        begun = client.post("/v1/auth/register", json=body)
        assert begun.status_code == 202, begun.text
        ends = {"registration_id": begun.json()["registration_id"], "code": self.code(phone)}
        done = client.post("/v1/auth/verify", json=ends)
        assert done.status_code == 201, done.text
        somebody = Somebody(username, phone, client)
        if pin:
            somebody.call("PUT", "/v1/me/pin", {"pin": PIN})
        return somebody

"""`tikiwallet demo`: people with money and a past, on a running sandbox, for somebody to play with.

It does only what anybody may do over HTTP, so they are people like all others. Every step has a
fixed key: what an earlier run was cut off in is finished by the next, and nothing happens twice.
Their password follows from the installation's own secret. So it is another one everywhere, stands
nowhere in the clear, and can be shown again.
"""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from tikiwallet.app import own_command
from tikiwallet.config import Settings
from tikiwallet.identity.keys import SERVER_KEY_FILE, KeyFileError, load_server_secret
from tikiwallet.money import currency

_KEY: Final = "demo"
_SETTLE_SECONDS: Final = 20.0  # for a top-up; the sandbox takes a moment
_CARD: Final = "pm_card_visa"


class DemoRefused(Exception):
    """The demo does not begin, or cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody of the demo: what they top up, in minor units by currency."""

    name: str
    username: str
    phone: str
    topups: dict[str, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """One payment in Singapore dollars, of so many cents to each."""

    payer: str
    payees: dict[str, int]
    memo: str


CAST: Final = (
    Actor("Maya", "maya", "+6581234501", {"SGD": 480_00, "USD": 150_00}),
    Actor("Arjun", "arjun", "+6581234502", {"SGD": 320_00}),
    Actor("Lina", "lina", "+6281278901234", {"SGD": 150_00, "IDR": 1_500_000_00}),
    Actor("Omar", "omar.k", "+971501234501", {"SGD": 90_00, "AED": 400_00}),
    Actor("Sofia", "sofia", "+447400123451", {"SGD": 210_00, "GBP": 120_00}),
    Actor("Kopi Corner", "kopi.corner", "+6581234599", {"SGD": 25_00}),
)
PLOT: Final = (
    Scene("maya", {"kopi.corner": 6_80}, "kopi and kaya toast for two"),
    Scene("maya", {"arjun": 24_50}, "badminton court"),
    Scene("arjun", {"maya": 12_00}, "my half of the taxi"),
    Scene("arjun", {"kopi.corner": 5_60}, "breakfast"),
    Scene("lina", {"maya": 45_00}, "concert ticket"),
    Scene("omar.k", {"kopi.corner": 4_20}, "teh tarik"),
    Scene("kopi.corner", {"omar.k": 4_20}, "wrong order, sorry"),
    Scene("maya", {"arjun": 18_00, "lina": 18_00, "omar.k": 18_00}, "quiz night: we won"),
    Scene("sofia", {"maya": 33_30}, "flowers for Lina"),
    Scene("sofia", {"lina": 20_00, "omar.k": 20_00}, "birthday lunch"),
    Scene("omar.k", {"arjun": 7_75}, "parking"),
    Scene("lina", {"kopi.corner": 9_90}, "cake"),
)


@dataclass(slots=True)
class _Member:
    """An actor who is signed in, with wallets by currency."""

    actor: Actor
    token: str = field(repr=False)
    wallets: dict[str, str] = field(default_factory=dict)


def password_of(settings: Settings) -> str:
    """The password of all demo people of this installation. Raises DemoRefused."""
    if not (settings.keys_dir / SERVER_KEY_FILE).exists():
        raise DemoRefused(
            f"{settings.keys_dir} holds no keys yet: start `tikiwallet serve` first, with the same"
            " settings as this command"
        )
    try:
        secret = load_server_secret(settings.keys_dir).subkey("demo password")
    except KeyFileError as error:
        raise DemoRefused(str(error)) from None
    letters = base64.b32encode(secret).decode().lower()
    return f"play-{letters[:4]}-{letters[4:8]}-{letters[8:12]}"


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Make what is missing of the demo on the service of these settings, and say who can sign in
    and what to try. Raises DemoRefused."""
    if not settings.sandbox:
        raise DemoRefused(
            "the demo is for a sandbox: here a provider is real, or other machines may connect"
        )
    with _Stage(settings, say) as stage:
        stage.check_sandbox()
        cast = {actor.username: stage.enter(actor) for actor in CAST}
        for member in cast.values():
            stage.top_up(member)
        for number, scene in enumerate(PLOT, 1):
            stage.play(number, scene, cast)
        if not stage.done:
            say("The demo is there already; nothing was changed.")
        _tell(settings, say, stage.password, [(m.actor, stage.holdings(m)) for m in cast.values()])


def _tell(
    settings: Settings, say: Callable[[str], None], password: str, cast: list[tuple[Actor, str]]
) -> None:
    say("")
    say("Who can sign in, all with the password of this installation's demo:")
    say(f"  password   {password}")
    for actor, holdings in cast:
        say(f"  {actor.phone:<15} {'@' + actor.username:<13} {holdings}")
    maya, url = CAST[0], f"http://localhost:{settings.port}"
    say("What to try next:")
    say(f"  look around   {url}, signed in with the phone {maya.phone}")
    say("  pay           @arjun from Maya's wallet; above S$100 a PIN is asked for: set one first")
    say(f"  messages      {url}/dev/inbox?phone={quote(maya.phone)}")
    say(f"  by HTTP       {url}/docs; a token comes from")
    say(f"    curl {url}/v1/auth/login -H 'Content-Type: application/json' \\")
    say(f'      -d \'{{"phone": "{maya.phone}", "password": "{password}"}}\'')
    say(f"  see it kept   {own_command()} audit verify")


class _Stage:
    """Calls to the service; `done` counts what they changed."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._port = settings.port
        self._say = say
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{settings.port}",
            headers={"Host": f"localhost:{settings.port}"},
            timeout=30.0,
            trust_env=False,
        )
        self._settings = settings
        self.password = ""
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check_sandbox(self) -> None:
        """Raises DemoRefused unless a sandbox answers that has this installation's keys."""
        inbox = self._ask("GET", f"/dev/inbox?phone={quote(CAST[0].phone)}")
        if inbox.status_code != 200:
            raise DemoRefused(
                f"what answers on port {self._port} is no sandbox: its people are real"
            )
        self.password = password_of(self._settings)

    def enter(self, actor: Actor) -> _Member:
        """The actor, registered if they were not, signed in, with their wallets."""
        tokens = self._sign_in(actor) or self._register(actor)
        member = _Member(actor, tokens["access_token"])
        for code in actor.topups:
            opened = self._ask("POST", "/v1/wallets", {"currency": code}, member)
            member.wallets[code] = self._told(opened, 200, 201)["id"]
        return member

    def _sign_in(self, actor: Actor) -> Any:
        answer = self._ask(
            "POST", "/v1/auth/login", {"phone": actor.phone, "password": self.password}
        )
        if answer.status_code != 401:
            return self._told(answer, 200)
        if answer.json().get("code") == "second_factor_required":
            raise DemoRefused(
                f"@{actor.username} has a second factor now, and the demo cannot sign in: it is"
                " there already, and whoever played with it keeps it"
            )
        return None

    def _register(self, actor: Actor) -> Any:
        asked = {"phone": actor.phone, "username": actor.username, "password": self.password}
        registered = self._told(self._ask("POST", "/v1/auth/register", asked), 202)
        inbox = self._told(self._ask("GET", f"/dev/inbox?phone={quote(actor.phone)}"), 200)
        code = inbox["items"][0]["code"]
        if code is None:
            raise DemoRefused(
                f"{actor.phone} is registered with another password: somebody else's, or changed"
                " while playing. The demo wants a data folder of its own (TIKIWALLET_DATA_DIR)"
            )
        self.done += 1
        self._say(f"{actor.name} signs up as @{actor.username}")
        return self._told(self._ask("POST", "/v1/auth/verify", {**registered, "code": code}), 201)

    def top_up(self, member: _Member) -> None:
        """Pay in what they begin with, from a test card."""
        for code, amount in member.actor.topups.items():
            body = {
                "wallet": member.wallets[code],
                "amount": {"amount": amount, "currency": code},
                "method": _CARD,
            }
            answer = self._ask("POST", "/v1/topups", body, member, key=f"{_KEY}-{code}")
            topup = self._told(answer, 201)
            if _is_new(answer):
                self.done += 1
                self._say(f"{member.actor.name} tops up {_written(amount, code)}")
            self._await_money(member, topup["id"])

    def _await_money(self, member: _Member, id: str) -> None:
        ends = time.monotonic() + _SETTLE_SECONDS
        while True:
            topup = self._told(self._ask("GET", f"/v1/topups/{id}", as_=member), 200)
            if topup["status"] == "succeeded":
                return
            if time.monotonic() > ends:
                raise DemoRefused(
                    f"a top-up of @{member.actor.username} is still {topup['status']}: run the"
                    " command again"
                )
            time.sleep(0.05)

    def play(self, number: int, scene: Scene, cast: dict[str, _Member]) -> None:
        """One payment."""
        payer = cast[scene.payer]
        body = {
            "from_wallet": payer.wallets["SGD"],
            "memo": scene.memo,
            "payees": [
                {"to": cast[name].wallets["SGD"], "amount": {"amount": cents, "currency": "SGD"}}
                for name, cents in scene.payees.items()
            ],
        }
        answer = self._ask("POST", "/v1/payments", body, payer, key=f"{_KEY}-{number}")
        if answer.status_code == 402:
            return  # spent while playing, before this scene's turn
        self._told(answer, 201)
        if _is_new(answer):
            self.done += 1
            names = ", ".join(cast[name].actor.name for name in scene.payees)
            self._say(f"{payer.actor.name} pays {names}: {scene.memo}")

    def holdings(self, member: _Member) -> str:
        """What they can spend, in all their wallets."""
        listed = self._told(self._ask("GET", "/v1/wallets", as_=member), 200)["items"]
        return ", ".join(_written(wallet["available"], wallet["currency"]) for wallet in listed)

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        as_: _Member | None = None,
        *,
        key: str | None = None,
    ) -> httpx.Response:
        headers = {} if as_ is None else {"Authorization": f"Bearer {as_.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            return self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise DemoRefused(
                f"nothing answers on port {self._port}: start `make run` (or `tikiwallet serve`) in"
                " another terminal, and then this again"
            ) from error

    @staticmethod
    def _told(answer: httpx.Response, *statuses: int) -> Any:
        if answer.status_code not in statuses:
            what = f"{answer.request.method} {answer.request.url.path}"
            raise DemoRefused(f"{what} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()


def _is_new(answer: httpx.Response) -> bool:
    return "idempotent-replayed" not in answer.headers


def _written(amount: int, code: str) -> str:
    exponent = currency(code).exponent
    whole, part = divmod(amount, 10**exponent)
    return f"{code} {whole:,}.{part:0{exponent}d}" if exponent else f"{code} {whole:,}"

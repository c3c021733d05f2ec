"""The wallet's server, as a terminal speaks to it when there is internet.

Every answer is checked against the shape that the API documents; what is not of that shape counts
as no answer.
"""

from typing import Any, Final, Self, TypeVar

import httpx
import msgspec

from tikiwallet import base64url

_SECONDS: Final = 15.0
_PASSES: Final = "/v1/offline/passes"
_Shape = TypeVar("_Shape")


class Offline(Exception):
    """The server cannot be reached, or what answered is not it. Nothing is known of the outcome."""


class Refused(Exception):
    """The server said no, in the words of the text."""

    def __init__(self, code: str, detail: str, challenge: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.challenge = challenge


class Tokens(msgspec.Struct):
    """What a sign-in gives; the refresh token works once."""

    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return "Tokens(…)"


class Me(msgspec.Struct):
    phone: str


class Device(msgspec.Struct):
    id: str


class End(msgspec.Struct):
    """How far the service knows a pass's chain."""

    sequence: int
    hash: str
    cumulative: int


class Issued(msgspec.Struct):
    """A pass as the API gives it; `message` is there once it is open, `tip` once something of its
    chain is known."""

    id: str
    state: str
    message: str | None = None
    tip: End | None = None


class _Passes(msgspec.Struct):
    items: list[Issued]


class Keys(msgspec.Struct):
    root: str
    message: str


class Revoked(msgspec.Struct):
    """A list of revoked passes up to `epoch`; `more`: others follow it."""

    message: str
    epoch: int
    more: bool


class Verdict(msgspec.Struct):
    """What became of one item of an upload; `refused`: the service did not take it."""

    state: str
    hash: str | None = None
    problem: dict[str, Any] | None = None


class _Verdicts(msgspec.Struct):
    items: list[Verdict]


class _Problem(msgspec.Struct):
    code: str
    title: str = ""
    detail: str = ""
    challenge_id: str | None = None


def bytes_of(text: str) -> bytes:
    """Bytes out of an answer. Raises `Offline` for what is not base64url."""
    try:
        return base64url.read(text)
    except ValueError:
        raise Offline("the server's answer cannot be read") from None


class Server:
    """Calls of the API. All raise `Offline` and `Refused`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=_SECONDS, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def sign_in(self, phone: str, password: str) -> Tokens:
        """Where a second factor is on: `Refused` with code `second_factor_required` and the
        challenge."""
        return await self._post("/v1/auth/login", Tokens, {"phone": phone, "password": password})

    async def second_factor(self, challenge: str, code: str) -> Tokens:
        body = {"challenge_id": challenge, "code": code}
        return await self._post("/v1/auth/second-factor", Tokens, body)

    async def refresh(self, token: str) -> Tokens:
        return await self._post("/v1/auth/refresh", Tokens, {"refresh_token": token})

    async def me(self, access: str) -> Me:
        return await self._call("GET", "/v1/me", Me, access=access)

    async def add_device(self, access: str, name: str) -> Device:
        body = {"name": name, "kind": "terminal", "protection": "file"}
        return await self._post("/v1/offline/devices", Device, body, access=access)

    async def replaced(self, access: str, device: str) -> None:
        """Report a device as replaced, for good: what is on its passes returns."""
        await self._post(
            f"/v1/offline/devices/{device}/revoke", Device, {"reason": "replaced"}, access=access
        )

    async def issue(self, access: str, key: str, body: dict[str, Any]) -> Issued:
        """A pass; the same idempotency `key` gives the same again."""
        return await self._post(_PASSES, Issued, body, access=access, key=key)

    async def passes(self, access: str) -> list[Issued]:
        """The person's newest."""
        return (await self._call("GET", f"{_PASSES}?limit=100", _Passes, access=access)).items

    async def keys(self) -> Keys:
        return await self._call("GET", "/v1/offline/keys", Keys)

    async def revocations(self, since: int) -> Revoked:
        return await self._call("GET", f"/v1/offline/revocations?since={since}", Revoked)

    async def settle(self, access: str, items: list[dict[str, str]]) -> list[Verdict]:
        """One verdict for each item, in their order."""
        path = "/v1/offline/settlements"
        answer = await self._post(path, _Verdicts, {"items": items}, access=access)
        if len(answer.items) != len(items):
            raise Offline("the server's answer is not about what was sent")
        return answer.items

    async def _post(
        self, path: str, shape: type[_Shape], body: object, *, access: str = "", key: str = ""
    ) -> _Shape:
        return await self._call("POST", path, shape, body=body, access=access, key=key)

    async def _call(
        self,
        method: str,
        path: str,
        shape: type[_Shape],
        *,
        body: object = None,
        access: str = "",
        key: str = "",
    ) -> _Shape:
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        if key:
            headers["Idempotency-Key"] = key
        try:
            answer = await self._http.request(method, path, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Offline(
                f"{self.url} cannot be reached: {str(error) or type(error).__name__}"
            ) from None
        if not answer.is_success:
            raise _refusal(answer)
        return _read(answer.content, shape)


def _read(content: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Offline("the server's answer cannot be read") from None


def _refusal(answer: httpx.Response) -> Exception:
    """A server in trouble (5xx) has not decided anything."""
    try:
        problem = _read(answer.content, _Problem)
    except Offline:
        return Offline(f"the server answered {answer.status_code}")
    words = problem.detail or problem.title or problem.code
    if answer.status_code >= 500:
        return Offline(words)
    return Refused(problem.code, words, problem.challenge_id)

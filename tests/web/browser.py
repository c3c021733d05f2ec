"""A browser in tests: keeps cookies, and sends what a page of the given origin would send."""

from dataclasses import dataclass
from http.cookies import SimpleCookie

import httpx


class Browser:
    """One browser with a page of `origin` open. Cookies are kept by name, as for one host."""

    def __init__(self, http: httpx.AsyncClient, origin: str | None = None) -> None:
        self.http = http
        self.origin = origin or str(http.base_url).rstrip("/")
        self.jar: dict[str, Kept] = {}

    @property
    def cookies(self) -> dict[str, str]:
        return {name: kept.value for name, kept in self.jar.items()}

    async def call(
        self, method: str, path: str, json: object = None, *, csrf: bool = True, **headers: str
    ) -> httpx.Response:
        """What `fetch` of a page does; with `csrf` as the app does it."""
        sent = {"tikiwallet-session": "cookie", "sec-fetch-site": "same-origin"}
        if method not in ("GET", "HEAD"):
            sent["origin"] = self.origin
            if csrf and "tw_csrf" in self.jar:
                sent["x-csrf-token"] = self.jar["tw_csrf"].value
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send(method, path, json, sent)

    async def send(
        self, method: str, path: str, json: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One request with the cookies that fit its path, and no other header than given."""
        bare = path.partition("?")[0]
        fitting = [
            f"{name}={kept.value}"
            for name, kept in self.jar.items()
            if kept.path in ("/", bare) or bare.startswith(f"{kept.path}/")
        ]
        cookie = {"cookie": "; ".join(fitting)} if fitting else {}
        request = self.http.build_request(
            method, path, json=json, headers={**(headers or {}), **cookie}
        )
        answer = await self.http.send(request)
        self.http.cookies.clear()  # this browser's jar is its own
        for line in answer.headers.get_list("set-cookie"):
            self._keep(line)
        return answer

    def _keep(self, line: str) -> None:
        [(name, morsel)] = SimpleCookie(line).items()
        if morsel["max-age"] == "0":
            self.jar.pop(name, None)
        else:
            self.jar[name] = Kept(
                morsel.value, morsel["path"], bool(morsel["httponly"]), morsel["samesite"]
            )


@dataclass(frozen=True)
class Kept:
    """One cookie of the jar."""

    value: str
    path: str
    http_only: bool
    same_site: str

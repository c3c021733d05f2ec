"""The phone app's files as the running server sends them."""

import gzip
import re

import httpx
from tests.e2e.conftest import Served

HTML = {"accept": "text/html"}


async def test_the_app_over_the_wire(served: Served) -> None:
    base = f"http://localhost:{served.port}"
    async with httpx.AsyncClient(base_url=base, headers=HTML) as http:
        page = await http.get("/pay/@mei.lin")
        assert page.status_code == 200
        etag = page.headers["etag"]
        again = await http.get("/", headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
        head = await http.head("/")
        assert (head.status_code, head.headers["etag"]) == (200, etag)
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            request = http.build_request("GET", path, headers={"accept-encoding": "gzip"})
            answer = await http.send(request, stream=True)
            raw = b"".join([part async for part in answer.aiter_raw()])
            assert (answer.status_code, len(raw)) == (200, int(answer.headers["content-length"]))
            if answer.headers.get("content-encoding") == "gzip":
                raw = gzip.decompress(raw)
            assert b"__VERSION__" not in raw
        away = await http.get(f"http://127.0.0.1:{served.port}/pay?x=1")
        assert (away.status_code, away.headers["location"]) == (307, f"{base}/pay?x=1")
        refused = await http.post("/")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_a_browsers_sign_in_over_the_wire(served: Served) -> None:
    body = {"phone": served.payer.phone, "password": "not the password"}
    headers = {"tikiwallet-session": "cookie", "origin": "http://evil.example"}
    async with httpx.AsyncClient(base_url=f"http://localhost:{served.port}") as http:
        answer = await http.post("/v1/auth/login", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
        answer = await http.post("/v1/auth/logout", headers={"cookie": "tw_access=x.y.z"})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")

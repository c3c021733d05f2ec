"""PyPI's oidc-provider-mock, a real OpenID Connect provider, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
from tests.servers import free_port


@contextmanager
def provider_process(*options: str, port: int | None = None) -> Iterator[str]:
    """A running provider; its issuer."""
    port = port or free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIKIWALLET_")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore", "-m", "oidc_provider_mock"),
            *("--host", "127.0.0.1", "--port", str(port), "--require-nonce", *options),
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    ends = time.monotonic() + 20
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "the provider ended"
        assert time.monotonic() < ends, "the provider does not answer"
        time.sleep(0.05)


async def agree(location: str, subject: str) -> str:
    """What a person does at the provider: say who they are. Where that sends the browser."""
    async with httpx.AsyncClient() as http:
        assert (await http.get(location)).status_code == 200
        answer = await http.post(location, data={"sub": subject})
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["location"]


async def deny(location: str) -> str:
    """The person does not want to. Where that sends the browser."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(location, data={"action": "deny"})
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["location"]

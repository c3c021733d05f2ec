"""A plain keep-alive client for what is not measured: making people, asking what is ready."""

import http.client
import json
from types import TracebackType
from typing import Self


class CallFailed(Exception):
    """The service answered something that the bench cannot go on with. Names call and answer."""


class Client:
    """One connection to the service; opened again when the service hung up. Not for two threads."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout)
        self._port = port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
    ) -> tuple[int, object]:
        """Status and decoded body (None if it is not JSON). OSError when nobody answers."""
        headers = {"Host": f"localhost:{self._port}"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            raw = answer.read()
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, None

    def expect(
        self,
        statuses: tuple[int, ...],
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
    ) -> dict[str, object]:
        """The body of an answer with one of `statuses`. Raises CallFailed for any other."""
        status, answer = self.call(method, path, body, token=token, key=key)
        if status not in statuses or not isinstance(answer, dict):
            raise CallFailed(f"{method} {path.partition('?')[0]} answered {status}: {answer!r}")
        return answer

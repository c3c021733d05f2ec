"""A crowd of loud callers in a process of its own: `python -m tests.faults.loud`.

Standard input has one JSON object: `port`, `seconds`, `connections`, `bodies` (per person: token
and body). Each connection sends the next payment as soon as the last was answered. Standard output
gets one JSON object: what was answered.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop
from tests.faults.wire import Hung, Line, Lost


async def shout(port: int, seconds: float, connections: int, bodies: list[list[str]]) -> Any:
    """Everything that was answered within `seconds`, and what was still owed then."""
    ends = time.monotonic() + seconds
    told: dict[str, Any] = {
        "paid": [], "shed": [], "other": {}, "lost": 0, "hung": 0, "without_retry_after": 0,
    }  # fmt: skip

    async def one(number: int) -> None:
        token, body = bodies[number % len(bodies)]
        line = Line(port)
        turn = 0
        head = (
            f"POST /v1/payments HTTP/1.1\r\nHost: localhost:{port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nIdempotency-Key: loud-{number}-"
        )
        while time.monotonic() < ends:
            turn += 1
            began = time.monotonic()
            try:
                answer = await line.send(f"{head}{turn}\r\n\r\n{body}".encode(), limit=20)
            except Lost:
                told["lost"] += 1
                continue
            except Hung:
                told["hung"] += 1
                continue
            if answer.status == 201:
                told["paid"].append(answer.body["id"])
            elif answer.status == 503:
                told["shed"].append(round(time.monotonic() - began, 3))
                told["without_retry_after"] += "retry-after" not in answer.headers
            else:
                other = told["other"]
                other[str(answer.status)] = other.get(str(answer.status), 0) + 1
        await line.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return told


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    sys.stdout.write(json.dumps(uvloop.run(shout(**asked))))

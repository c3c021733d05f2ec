"""People who sign in, one after the other at an even rate, until standard input ends.

    python -m tests.e2e.signing_in PORT RATE < one JSON line: [[phone, password], ...]

A process of its own, so that its work is not in the way of who measures something else. Prints a
line after the first sign-in, and at the end as JSON the milliseconds that each took.
"""

import asyncio
import json
import sys
import time
from itertools import count, cycle

from tests.faults.wire import Line


async def _sign_in(port: int, phone: str, password: str) -> float:
    line = Line(port)
    began = time.perf_counter()
    try:
        answer = await line.call("POST", "/v1/auth/login", {"phone": phone, "password": password})
    finally:
        await line.close()
    assert answer.status == 200, answer
    return (time.perf_counter() - began) * 1_000


async def main(port: int, rate: float) -> None:
    """Sign people in whether or not the one before is done."""
    people = cycle(json.loads(sys.stdin.readline()))
    await _sign_in(port, *next(people))
    print("begun", flush=True)  # noqa: T201
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in count():
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            if over.done():
                break
            tasks.append(group.create_task(_sign_in(port, *next(people))))
    print(json.dumps([task.result() for task in tasks]))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))

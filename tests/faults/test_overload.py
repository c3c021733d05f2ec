"""Many times what can be served: shed at once, nothing lost, and the quiet still get through."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.faults.book import Book, Person
from tests.faults.crowd import sign_up
from tests.faults.installation import Installation
from tests.faults.wire import Line

_CONNECTIONS = 1_000
_SECONDS = 6.0
_RICH = 20_000_000  # cents
_LEGS = 100
_MEMORY_MAX = 150 << 20
_PROMPT_SECONDS = 4.0  # two cores carry service, database and a thousand callers here
_REPOSITORY = Path(__file__).parents[2]


def _loud_body(payer: Person, people: list[Person]) -> str:
    payees = [
        {"to": people[leg % len(people)].wallet, "amount": {"amount": 1, "currency": "SGD"}}
        for leg in range(_LEGS)
    ]
    return json.dumps({"from_wallet": payer.wallet, "payees": payees})


async def _shout(port: int, loud: list[Person], people: list[Person]) -> dict[str, Any]:
    asked = {
        "port": port,
        "seconds": _SECONDS,
        "connections": _CONNECTIONS,
        "bodies": [(person.token, _loud_body(person, people)) for person in loud],
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.loud"),
        cwd=_REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), 60)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    told: dict[str, Any] = json.loads(output)
    return told


@pytest.mark.alone
async def test_ten_times_too_much(installation: Installation, book: Book) -> None:
    serving = installation.start("serve")
    await serving.ready(installation.port)
    loud = await sign_up(installation.port, 2, top_up=_RICH, first=500)
    process = psutil.Process(serving.pid)
    before = peak = process.memory_info().rss
    shouting = asyncio.create_task(_shout(installation.port, loud, book.people))
    line = Line(installation.port)
    quiet, payee = book.people[:2]
    body = {
        "from_wallet": quiet.wallet,
        "payees": [{"to": payee.wallet, "amount": {"amount": 1, "currency": "SGD"}}],
    }
    waits: list[float] = []
    quietly: set[str] = set()
    try:
        while not shouting.done():
            began = time.monotonic()
            answer = await line.call(
                "POST", "/v1/payments", body, token=quiet.token, key=f"quiet-{len(waits)}"
            )
            waits.append(time.monotonic() - began)
            assert answer.status == 201, answer
            quietly.add(answer.body["id"])
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.02)
    finally:
        shouting.cancel()
        await asyncio.gather(shouting, return_exceptions=True)
        await line.close()
    told = shouting.result()
    shed = sorted(told["shed"])
    print(  # noqa: T201
        f"paid {len(told['paid'])}, shed {len(shed)}, quiet {len(waits)} (slowest {max(waits):.2f}"
        f" s), slowest shed {shed[-1] if shed else 0} s, memory +{(peak - before) >> 20} MiB"
    )
    assert told["other"] == {}
    assert told["hung"] == told["lost"] == told["without_retry_after"] == 0
    assert shed, "nothing was shed: this was no overload"
    assert shed[int(len(shed) * 0.99)] < _PROMPT_SECONDS
    assert max(waits) < _PROMPT_SECONDS
    assert peak - before < _MEMORY_MAX
    await _check_done(installation, quietly | set(told["paid"]))
    status, text = await installation.command("audit", "verify")
    assert status == 0, text


async def _check_done(installation: Installation, acknowledged: set[str]) -> None:
    """Every acknowledged payment is in the log, and nothing else that was paid."""
    connection = await installation.connect()
    try:
        rows = await connection.fetch(
            "SELECT transaction_id FROM ledger.log WHERE kind = 1 AND type = 1 AND leg = 0"
        )
    finally:
        await connection.close()
    assert {str(row["transaction_id"]) for row in rows} == acknowledged

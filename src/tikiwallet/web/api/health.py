"""For whoever runs this: alive, ready, counted."""

import asyncio
from typing import Final

from fastapi import APIRouter, Response

from tikiwallet import logs
from tikiwallet.web import metrics
from tikiwallet.web.api.bodies import Answer
from tikiwallet.web.parts import Parts, WithParts

router = APIRouter(tags=["health"])

_PATIENCE_SECONDS: Final = 2.5  # the ledger itself waits up to four leases for its next commit
_log = logs.get("health")


class HealthAnswer(Answer):
    """The process answers."""

    status: str = "ok"


class ReadyAnswer(Answer):
    """`status` is `ready` or `not_ready`; `ledger` is this process's part in it, `durability` what
    an acknowledged transaction has survived."""

    status: str
    database: str
    ledger: str
    durability: str


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> HealthAnswer:
    """Asks nobody else."""
    return HealthAnswer()


@router.get(
    "/readyz",
    summary="Whether requests can be served",
    responses={503: {"model": ReadyAnswer, "description": "Not now"}},
)
async def readyz(parts: WithParts, response: Response) -> ReadyAnswer:
    """Asks the database and the ledger."""
    database, ledger = await asyncio.gather(_database(parts), _ledger(parts))
    standing = parts.ledger_standing()
    ledger = ledger and standing.answers  # it may have ended while the database was asked
    ready = database and ledger
    if not ready:
        response.status_code = 503
    return ReadyAnswer(
        status="ready" if ready else "not_ready",
        database="ok" if database else "unavailable",
        ledger=standing.role if ledger else "unavailable",
        durability=standing.durability,
    )


@router.get("/metrics", summary="Prometheus metrics of this process", response_class=Response)
async def all_metrics(parts: WithParts) -> Response:
    """Prometheus' text format."""
    return Response(metrics.exposition(parts.registry), media_type=metrics.CONTENT_TYPE)


async def _database(parts: Parts) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await parts.database.fetchval("SELECT 1")
    except Exception as error:
        _log.warning("database not ready", error=type(error).__name__)
        return False
    return True


async def _ledger(parts: Parts) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await parts.ledger.stable_n()
    except Exception as error:
        _log.warning("ledger not ready", error=type(error).__name__)
        return False
    return True

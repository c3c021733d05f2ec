"""Request ids, headers that every answer has, health and metrics."""

import pytest
from tests.web.conftest import Web

from tikiwallet import ids
from tikiwallet.web.edge import announced_length, request_id_of
from tikiwallet.web.metrics import Latencies, build_registry, exposition


@pytest.mark.parametrize("id", ["a", "req-1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "x" * 64])
def test_a_sane_request_id_is_kept(id: str) -> None:
    assert request_id_of([(b"host", b"h"), (b"x-request-id", id.encode())]) == id


@pytest.mark.parametrize("id", [b"", b"x" * 65, b"a b", b"a\n", b"<script>", b"-a", b"\xff"])
def test_another_is_replaced(id: bytes) -> None:
    assert ids.read_uuid(request_id_of([(b"x-request-id", id)])) is not None


@pytest.mark.parametrize(
    ("value", "length"), [(b"12", 12), (b"-1", None), (b"x", None), (b"9" * 30, None)]
)
def test_announced_length(value: bytes, length: int | None) -> None:
    assert announced_length([(b"content-length", value)]) == length
    assert announced_length([]) is None


async def test_answers_carry_id_and_are_not_stored(web: Web) -> None:
    answer = await web.http.get("/v1/me", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] == "mine"
    assert answer.json()["instance"] == "mine"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_health(web: Web) -> None:
    assert (await web.http.get("/healthz")).json() == {"status": "ok"}
    answer = await web.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "database": "ok",
        "ledger": "writer",
        "durability": "this machine's disk",
    }


async def test_not_ready_without_a_writer(web: Web) -> None:
    await web.stack.ledger.stop()
    answer = await web.http.get("/readyz")
    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["ledger"]) == ("not_ready", "unavailable")


async def test_metrics_name_routes_not_addresses(web: Web) -> None:
    await web.http.get("/healthz")
    await web.http.get(f"/v1/topups/{ids.write_uuid(ids.new_uuid7())}")
    await web.http.get("/v1/whatever/comes")
    answer = await web.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    series = 'tikiwallet_http_request_seconds_count{method="GET",route="%s",status="%d"} 1.0'
    for route, status in (("/healthz", 200), ("/v1/topups/{id}", 401), ("unmatched", 404)):
        assert series % (route, status) in answer.text


def test_buckets_add_up() -> None:
    latencies = Latencies()
    for seconds in (0.0004, 0.0005, 0.003, 99.0):
        latencies.observe("GET", "/x", 200, seconds)
    latencies.observe("BREW", "/x", 405, 0.1)
    text = exposition(build_registry(latencies)).decode()
    name = "tikiwallet_http_request_seconds"
    labels = 'method="GET",route="/x",status="200"'
    for bound, count in (("0.0005", 2), ("0.0025", 2), ("0.005", 3), ("10.0", 3), ("+Inf", 4)):
        assert f'{name}_bucket{{le="{bound}",{labels}}} {count}.0' in text
    assert f"{name}_count{{{labels}}} 4.0" in text
    assert f"{name}_sum{{{labels}}} 99.0039" in text
    assert 'method="OTHER"' in text

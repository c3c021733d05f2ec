"""Logs: one JSON object per line, no secrets, one way out for everybody."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tikiwallet import logs


@pytest.fixture
def lines() -> Iterator["Lines"]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    logs.configure("info", stream)
    yield Lines(stream)
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers, root.level = before


class Lines:
    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_line(lines: Lines) -> None:
    logs.get("ledger").info("batch committed", rows=12)
    [line] = lines.read()
    assert line["event"] == "batch committed"
    assert (line["rows"], line["level"], line["component"]) == (12, "info", "ledger")
    assert line["timestamp"].endswith("Z")


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    logs.get("ledger").debug("not this")
    logging.getLogger("uvicorn.error").debug("nor this")
    assert lines.read() == []


SECRET_NAMES = (
    "password pin code token secret authorization refresh_token "
    "Authorization access_token current_pin client-secret"
)


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_secrets_are_redacted_at_any_depth(lines: Lines, name: str) -> None:
    secret = "hunter2"
    logs.get("web").info("x", **{name: secret}, deep={"list": [{name: secret}], "kept": 1})
    [line] = lines.read()
    assert secret not in lines.stream.getvalue()
    assert line[name] == logs.REDACTED
    assert line["deep"]["kept"] == 1


def test_names_that_only_resemble_secrets_stay(lines: Lines) -> None:
    logs.get("web").info("x", status_code=200, pinned=True, tokens=3)
    [line] = lines.read()
    assert (line["status_code"], line["pinned"], line["tokens"]) == (200, True, 3)


def test_the_request_is_named(lines: Lines) -> None:
    before = logs.request_id.set("r-1")
    logs.get("web").info("own")
    logging.getLogger("asyncio").warning("theirs %d", 7)
    logs.request_id.reset(before)
    logs.get("web").info("after")
    own, theirs, after = lines.read()
    assert own["request_id"] == theirs["request_id"] == "r-1"
    assert (theirs["event"], theirs["level"]) == ("theirs 7", "warning")
    assert (own["component"], theirs["component"]) == ("web", "asyncio")
    assert "request_id" not in after


def test_exceptions_are_part_of_the_line(lines: Lines) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        logs.get("web").exception("failed")
        logging.getLogger("asyncio").exception("failed too")
    for line in lines.read():
        assert line["exception"][0]["exc_type"] == "ValueError"


def test_local_variables_of_exceptions_stay_out(lines: Lines) -> None:
    password = "hunter2"
    try:
        raise ValueError(f"{len(password)} letters")
    except ValueError:
        logs.get("web").exception("failed")
    assert password not in lines.stream.getvalue()


@pytest.mark.parametrize("odd", [object(), "\ud800", 1 << 80, float("inf"), {1: 2}, b"\xff", {3}])
def test_a_line_never_raises(lines: Lines, odd: object) -> None:
    logs.get("web").info("odd", value=odd)
    assert len(lines.read()) == 1

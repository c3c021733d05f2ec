"""`--headless`: lines of JSON, whatever they hold."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.terminal.devices import Device, device
from tests.terminal.shops import SARI, Issuer, set_up

from tikiwallet.terminal.device import CannotDo
from tikiwallet.terminal.headless import read_command
from tikiwallet.terminal.journal_file import FILE


def test_commands_are_read() -> None:
    line = json.dumps({"do": "ask", "phone": SARI, "amount": 1_250, "tag": [1]})
    assert read_command(line.encode()) == ("ask", {"phone": SARI, "amount": 1_250}, [1])
    assert read_command(b'{"do": "confirm"}') == ("confirm", {}, None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "one JSON object"),
        (b"[]", "one JSON object"),
        (b"[" * 10_000, "one JSON object"),
        (b"\xff", "one JSON object"),
        (b"{}", "no such command"),
        (b'{"do": "close"}', "no such command"),
        (b'{"do": "__init__"}', "no such command"),
        (b'{"do": ["ask"]}', "no such command"),
        (b'{"do": "ask"}', "missing"),
        (b'{"do": "ask", "phone": "+65", "amount": "12"}', "Expected `int`"),
        (b'{"do": "ask", "phone": "+65", "amount": 12.5}', "Expected `int`"),
        (b'{"do": "confirm", "now": true}', "unexpected"),
        (b'{"do": "confirm", "self": 1}', "multiple values"),
    ],
)
def test_what_is_no_command_is_told(line: bytes, words: str) -> None:
    with pytest.raises(CannotDo, match=words):
        read_command(line)


ANY = st.recursive(st.none() | st.booleans() | st.text(), st.lists)


@given(st.binary(max_size=200) | ANY.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_command_or_told(line: bytes) -> None:
    try:
        name, arguments, _ = read_command(line)
    except CannotDo:
        return
    assert name
    assert isinstance(arguments, dict)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    await set_up(tmp_path, Issuer(int(time.time())), SARI, "Toko Sari", 5_000)
    return tmp_path


def problem(one: Device, command: str, **arguments: Any) -> str:
    one.say(command, **arguments)
    return str(one.expect("problem", lambda e: e.get("do") == command)["text"])


def test_what_does_not_fit_is_told_in_words(folder: Path) -> None:
    with device(folder) as one:
        started = one.expect("started")
        assert started["name"] == "Toko Sari"
        assert started["pass"]["left_price"] == "INR 50.00"
        assert "no such terminal" in problem(one, "call", peer="nobody")
        assert "Nobody is on the line" in problem(one, "ask", phone=SARI, amount=5)
        assert "starts with +" in problem(one, "number", phone="123")
        assert "no digits" in problem(one, "agree")
        assert "No server was named" in problem(one, "sync")
        assert "No server was named" in problem(one, "sign_in", phone=SARI, password="x")
        one.say("status", tag=7)
        assert one.expect("done")["tag"] == 7
        assert one.do("receipts") == []
        assert one.leave() == 0


def test_a_second_terminal_in_the_same_folder_is_refused(folder: Path) -> None:
    with device(folder) as one:
        one.expect("started")
        with device(folder) as other:
            assert other.leave() == 1


def test_a_damaged_journal_is_refused_then_recovered(folder: Path) -> None:
    path = folder / FILE
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 3_000])
    with device(folder) as one:
        assert one.leave() == 1
    assert path.read_bytes() == data[: len(data) - 3_000]
    with device(folder, (), "--recover") as one:
        one.expect("started")
        assert "sync before it pays" in one.expect("doubtful")["text"]
        assert one.leave() == 0

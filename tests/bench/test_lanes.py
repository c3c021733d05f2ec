"""Lanes: well-formed requests, and a file that both load generators read alike."""

import json
from pathlib import Path

from tikiwallet.bench.lanes import (
    Fill,
    Lane,
    Person,
    balance_lanes,
    payment_lanes,
    query_lanes,
    read_lanes,
    word_lanes,
    write_lanes,
)

_PEOPLE = [Person(f"token{n}", (f"w_{n:013d}", f"w_9{n:012d}")) for n in range(3)]


def _parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return first, headers, body


def test_people_pay_each_other_round_in_a_ring() -> None:
    paid = []
    for lane in payment_lanes(_PEOPLE, 8000, "SGD"):
        assert lane.fill is Fill.NUMBER
        first, headers, body = _parsed(lane.before + b"7" + lane.after)
        assert first == "POST /v1/payments HTTP/1.1"
        assert int(headers["content-length"]) == len(body)
        assert headers["idempotency-key"].endswith("-7")
        content = json.loads(body)
        payee = content["payees"][0]
        assert payee["amount"] == {"amount": 1, "currency": "SGD"}
        paid.append((headers["authorization"], content["from_wallet"], payee["to"]))
    wallets = [person.wallets[0] for person in _PEOPLE]
    assert paid == [
        (f"bearer token{n}", wallets[n], wallets[(n + 1) % len(wallets)]) for n in range(3)
    ]


def test_keys_of_two_loads_differ() -> None:
    first, second = (payment_lanes(_PEOPLE, 8000, "SGD")[0].before for _ in range(2))
    assert first != second


def test_reads_ask_for_the_wallet_that_holds_money() -> None:
    lane = balance_lanes(_PEOPLE, 8000)[1]
    first, headers, body = _parsed(lane.before)
    assert first == f"GET /v1/wallets/{_PEOPLE[1].wallets[0]}/balance HTTP/1.1"
    assert (headers["authorization"], body) == ("bearer token1", b"")
    assert lane.fill is Fill.NOTHING


def test_a_query_asks_for_all_wallets_at_once() -> None:
    lanes = query_lanes("service", ["w_1", "w_2"], 8000, 4)
    assert len(lanes) == 4
    first, headers, body = _parsed(lanes[0].before)
    assert first == "POST /v1/balances/query HTTP/1.1"
    assert json.loads(body) == {"wallet_ids": ["w_1", "w_2"]}
    assert int(headers["content-length"]) == len(body)


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    lanes = [
        Lane(b"GET / HTTP/1.1\r\n\r\n"),
        Lane(b"before 12 34 1\n", b"\r\n\r\nafter\n", Fill.NUMBER),
        Lane("über\n".encode(), b"\x00\xff", Fill.NUMBER),
    ]
    write_lanes(tmp_path / "lanes", lanes)
    assert read_lanes(tmp_path / "lanes") == lanes


def test_a_word_completes_a_query_for_one_wallet() -> None:
    lane = word_lanes("service", "w_01234567", 5, 8000, 3)[0]
    first, headers, body = _parsed(lane.before + b"89abc" + lane.after)
    assert lane.fill is Fill.WORD
    assert first == "POST /v1/balances/query HTTP/1.1"
    assert json.loads(body) == {"wallet_ids": ["w_0123456789abc"]}
    assert int(headers["content-length"]) == len(body)

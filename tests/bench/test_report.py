"""The report: every figure in the table and in the JSON, with its machine."""

import json
from io import StringIO

from rich.console import Console

from tikiwallet.bench.figures import Figure, ProcessUse, Target, Yardstick
from tikiwallet.bench.report import Machine, as_json, machine, row, show

_MACHINE = Machine("A CPU", 2, 23.5, "Linux 6", "18.4", "3.11.7", "wrk")
_FIGURES = [
    Figure(
        "payments",
        "payments over HTTP",
        "/s",
        18_500.4,
        3.1,
        7.5,
        Yardstick("pgbench TPC-B", 5_000, 5_200),
        Target(ratio=3.0, p99_ms=20),
        (ProcessUse("serve", 97.4, 120.3, 90.0), ProcessUse("postgres", 55.0, None, 210.0)),
        ("3 connections or requests broke",),
    ),
    Figure("start", "second start", "s", 3.5, target=Target(at_most=3.0)),
    Figure("takeover-kill", "take-over", "s", error="NoTakeover: nobody answered"),
]


def test_the_table_holds_every_figure_with_its_marks() -> None:
    output = StringIO()
    show(Console(file=output, width=200), _MACHINE, _FIGURES)
    text = output.getvalue()
    for words in (
        "18,500 /s",
        "7.50",
        "5,100",
        "3.63",
        "serve 97 % 120 MB",
        "postgres 55 % 210 MB",
        "ok",
        "MISSED",
        "NoTakeover: nobody answered",
        "PostgreSQL 18.4",
        "broke",
    ):
        assert words in text


def test_each_row_has_a_cell_for_every_column() -> None:
    assert {len(row(figure)) for figure in _FIGURES} == {9}


def test_json_says_the_same() -> None:
    report = json.loads(json.dumps(as_json(_MACHINE, _FIGURES)))
    payments, start, takeover = report["figures"]
    assert report["machine"]["cores"] == 2
    assert (payments["ratio"], payments["met"]) == (3.628, True)
    assert payments["yardstick"] == {"name": "pgbench TPC-B", "before": 5000, "after": 5200}
    assert payments["processes"][0]["resident_mb"] == 120.3
    assert (start["ratio"], start["met"]) == (None, False)
    assert takeover["error"] == "NoTakeover: nobody answered"


def test_this_machine_is_named() -> None:
    here = machine("18.4", "own")
    assert here.cores >= 1
    assert here.memory_gib > 0
    assert here.cpu
    assert "load by own" in here.words()

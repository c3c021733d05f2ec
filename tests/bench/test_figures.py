"""Figures against targets, the choice of figures, and what the process ends with."""

import pytest

from tikiwallet.bench.catalogue import FIGURES, UnknownFigure, select
from tikiwallet.bench.command import Options, exit_code, run
from tikiwallet.bench.figures import NO_TARGET, Figure, Target, Yardstick


def _figure(
    value: float | None = 300.0,
    target: Target = NO_TARGET,
    p99_ms: float | None = 5.0,
    error: str | None = None,
) -> Figure:
    yardstick = Yardstick("pgbench TPC-B", 90, 110)
    return Figure("x", "x", "/s", value, None, p99_ms, yardstick, target, error=error)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(), None),
        (Target(ratio=3.0), True),
        (Target(ratio=3.01), False),
        (Target(at_least=300), True),
        (Target(at_least=301), False),
        (Target(at_most=300), True),
        (Target(at_most=299), False),
        (Target(p99_ms=5), True),
        (Target(p99_ms=4.9), False),
        (Target(ratio=3.0, p99_ms=4.9), False),
    ],
)
def test_every_part_of_a_target_must_hold(target: Target, met: bool | None) -> None:
    assert _figure(target=target).met is met


def test_the_ratio_is_taken_against_the_mean_of_before_and_after() -> None:
    assert _figure().ratio == 3.0
    assert Figure("x", "x", "/s", 1.0).ratio is None


def test_what_was_not_measured_misses_its_target() -> None:
    assert _figure(value=None, target=Target(at_most=1)).met is False
    assert _figure(p99_ms=None, target=Target(p99_ms=1)).met is False
    assert _figure(value=None, error="it broke").met is False


def test_targets_in_words() -> None:
    target = Target(ratio=3.0, at_least=200_000, p99_ms=20)
    assert target.words("/s") == ">= 3x, >= 200,000 /s, p99 <= 20 ms"


def test_a_name_takes_in_what_is_below_it() -> None:
    assert select(("batches",), False) == ["batches", "batches-hot", "batches-fee", "batches-four"]
    assert select(("batches=",), False) == ["batches"]
    assert select(("takeover", "start"), False) == ["takeover-kill", "takeover-stop", "start"]


def test_the_large_data_set_is_measured_only_when_asked_for() -> None:
    assert not any(name.startswith("large") for name in select((), False))
    assert select((), True) == list(FIGURES)
    assert "large-history" in select(("large",), False)


def test_an_unknown_figure_is_named() -> None:
    with pytest.raises(UnknownFigure, match="paymnets"):
        select(("paymnets",), False)


@pytest.mark.parametrize(
    ("figure", "lax", "strict"),
    [
        (_figure(), 0, 0),
        (_figure(target=Target(ratio=9)), 0, 1),
        (_figure(value=None, error="it broke"), 2, 2),
    ],
)
def test_the_exit_code_tells_what_happened(figure: Figure, lax: int, strict: int) -> None:
    assert exit_code([figure], strict=False) == lax
    assert exit_code([figure], strict=True) == strict


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(only=("nothing",), environment={}), "no figure is called nothing"),
        (Options(generator="ab", environment={}), "no load generator is called ab"),
        (Options(seconds=0, environment={}), "at least 1 second"),
        (Options(environment={"TIKIWALLET_PORT": "many"}), "TIKIWALLET_PORT=many"),
    ],
)
def test_wrong_options_end_with_one_line(
    options: Options, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options) == 2
    assert says in capsys.readouterr().err

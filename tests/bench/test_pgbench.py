"""pgbench: what is read from its output and log, and a real run on a real server."""

import pytest
from tests.servers import DatabaseUrls

from tikiwallet.bench.histogram import Histogram
from tikiwallet.bench.pgbench import (
    SELECTS,
    TPC_B,
    Pgbench,
    PgbenchFailed,
    find_pgbench,
    parse_log,
    parse_output,
    without_password,
)

_OUTPUT = """\
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 10
number of transactions actually processed: 57012
number of failed transactions: 0 (0.000%)
latency average = 2.806 ms
initial connection time = 12.102 ms
tps = 5701.234567 (without initial connection time)
"""


def test_rate_and_average_are_read() -> None:
    assert parse_output(_OUTPUT) == (5701.234567, 2.806)


@pytest.mark.parametrize(
    "text",
    [
        "",
        _OUTPUT.replace("tps", "tpm"),
        _OUTPUT.replace("failed transactions: 0", "failed transactions: 7"),
    ],
)
def test_output_that_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(PgbenchFailed):
        parse_output(text)


def test_latencies_come_from_the_third_column() -> None:
    histogram = Histogram()
    parse_log(
        ["0 1 100 0 1700000000 1\n", "1 1 300 0 1700000000 2\n", "0 2 skipped 0 1 3\n"], histogram
    )
    assert histogram.total == 2
    assert histogram.percentile(0.5) == 100


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        (
            "postgresql://owner:s%40cret@db:5432/wallet?sslmode=require",
            "postgresql://owner@db:5432/wallet?sslmode=require",
            "s@cret",
        ),
        (
            "postgresql://owner:secret@/wallet?host=%2Frun%2Fpg",
            "postgresql://owner@/wallet?host=/run/pg",
            "secret",
        ),
        (
            "postgresql:///wallet?user=owner&password=secret&host=/run/pg",
            "postgresql:///wallet?user=owner&host=/run/pg",
            "secret",
        ),
        ("postgresql://owner@a:1,b:2/wallet", "postgresql://owner@a:1,b:2/wallet", None),
    ],
)
def test_the_password_stays_off_the_command_line(
    dsn: str, address: str, password: str | None
) -> None:
    assert without_password(dsn) == (address, password)


async def test_a_real_run_gives_rates_and_latencies(database_urls: DatabaseUrls) -> None:
    pgbench = Pgbench(find_pgbench(None), database_urls.owner)
    await pgbench.prepare()
    await pgbench.prepare()
    async with pgbench.around(TPC_B, 1) as bracket:
        selects = await pgbench.run(SELECTS, 1)
    assert selects.tps > bracket.yardstick.mean > 0
    assert bracket.yardstick.mean == (bracket.before.tps + bracket.yardstick.after) / 2
    assert 0 < bracket.before.p50_ms <= bracket.before.p99_ms


async def test_an_error_of_pgbench_is_told(database_urls: DatabaseUrls) -> None:
    pgbench = Pgbench(find_pgbench(None), database_urls.owner)
    with pytest.raises(PgbenchFailed, match="pgbench_"):
        await pgbench.run(TPC_B, 1)

"""The figures the bench knows, in the order of the report, and what each has to reach."""

from dataclasses import dataclass

from tikiwallet.bench.figures import NO_TARGET, Target

AT_64 = 64  # the connections at which latencies are promised
LEASES = 3  # a stopped writer is replaced within so many leases


@dataclass(frozen=True)
class Entry:
    """What a figure is called and has to reach."""

    title: str
    unit: str
    target: Target = NO_TARGET


FIGURES: dict[str, Entry] = {
    "payments": Entry(
        f"payments over HTTP, all in one process, {AT_64} connections",
        "/s",
        Target(ratio=3.0, p99_ms=20),
    ),
    "payments-many": Entry(
        "payments over HTTP, all in one process, many connections", "/s", Target(ratio=3.0)
    ),
    "balances": Entry("balance reads over HTTP, one per request", "/s", Target(ratio=0.6)),
    "balances-query": Entry(
        "balances over HTTP by /v1/balances/query", "/s", Target(at_least=200_000)
    ),
    "ceiling-payments": Entry("the load generator alone: payments to an empty server", "/s"),
    "ceiling-balances": Entry("the load generator alone: reads from an empty server", "/s"),
    "payments-split": Entry(
        f"payments over HTTP; API, writer and worker apart, {AT_64} connections",
        "/s",
        Target(ratio=2.5, p99_ms=30),
    ),
    "memory-api": Entry("memory of the API process under load", "MB", Target(at_most=150)),
    "takeover-kill": Entry("first payment after kill -9 of the writer", "s", Target(at_most=1.0)),
    "takeover-stop": Entry("first payment after SIGSTOP of the writer", "s"),
    "batches": Entry(
        "batches by the Python API: transactions of one posting", "/s", Target(ratio=10)
    ),
    "batches-hot": Entry("the same between 10 hot accounts", "/s", Target(ratio=10)),
    "batches-fee": Entry(
        "postings with a fee posting to one house account", "/s", Target(ratio=12)
    ),
    "batches-four": Entry("postings of 1->4 payments", "/s", Target(ratio=12)),
    "memory-writer": Entry(
        "memory of the writer with 200,000 hot accounts", "MB", Target(at_most=300)
    ),
    "start": Entry("second start to ready", "s", Target(at_most=3.0)),
    "large-writes-evenly": Entry(
        "large data set: writes, accounts chosen evenly", "/s", Target(ratio=0.5)
    ),
    "large-reads-evenly": Entry(
        "large data set: reads, accounts chosen evenly", "/s", Target(ratio=0.5)
    ),
    "large-writes-zipf": Entry("large data set: writes, Zipf-chosen", "/s", Target(ratio=0.8)),
    "large-reads-zipf": Entry("large data set: reads, Zipf-chosen", "/s", Target(ratio=0.8)),
    "large-history": Entry(
        "large data set: pages of history, one after another", "/s", Target(p99_ms=5)
    ),
}


class UnknownFigure(Exception):
    """`--only` names something that the bench does not measure."""


def select(only: tuple[str, ...], large: bool) -> list[str]:
    """The figures to measure. A name takes in all figures below it: `batches` also `batches-hot`;
    a name that ends in `=` takes that figure alone. Raises UnknownFigure."""
    chosen = set()
    for word in only:
        exact = word.removesuffix("=")
        names = {
            name
            for name in FIGURES
            if name == exact or (exact == word and name.startswith(f"{word}-"))
        }
        if not names:
            raise UnknownFigure(f"no figure is called {word}: there are {', '.join(FIGURES)}")
        chosen |= names
    if not only:
        chosen = {name for name in FIGURES if large or not name.startswith("large-")}
    return [name for name in FIGURES if name in chosen]

"""What the writer counts, for /metrics."""

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("tikiwallet_ledger_commands_total", "Commands answered, by result", ["result"])
BATCH_ROWS = Histogram(
    "tikiwallet_ledger_batch_commands",
    "Commands per committed batch",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
)
COMMIT_SECONDS = Histogram(
    "tikiwallet_ledger_commit_seconds",
    "From the first row of a batch to its commit",
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0),
)
QUEUE_ROWS = Gauge("tikiwallet_ledger_queue_rows", "Log rows waiting to be prepared")
READY_ROWS = Gauge("tikiwallet_ledger_ready_rows", "Log rows prepared, waiting for a batch")
SHED = Gauge("tikiwallet_ledger_shed", "Commands turned away since the start: the queue was full")
ACCOUNTS = Gauge("tikiwallet_ledger_accounts_in_memory", "Accounts whose state is in memory")
LOADS = Counter("tikiwallet_ledger_loads_total", "Accounts loaded from the log")
TERMS = Counter("tikiwallet_ledger_terms_total", "Times this process became the writer")
STABLE_N = Gauge("tikiwallet_ledger_stable_n", "Highest committed log number")

"""The ledger: sole writer of money. Callers use `transactions` and the `Ledger` protocol in `port`."""

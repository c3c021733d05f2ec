"""The ledger: sole writer of money. Callers use `transactions` and the protocol in `port`."""

"""Wallets: who holds which currency, and the ledger accounts behind it."""

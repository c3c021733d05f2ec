"""TikiWallet: a wallet platform on a double-entry ledger that keeps its promises."""

__version__ = "0.1.0"

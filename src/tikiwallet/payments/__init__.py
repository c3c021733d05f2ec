"""Payments: product events that move money, each following its ledger transaction by id."""

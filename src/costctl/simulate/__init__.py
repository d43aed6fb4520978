"""Levers, and what the calls of a ledger would have cost under them."""

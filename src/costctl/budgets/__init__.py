"""Budgets: what may be spent, what was, and who is told."""

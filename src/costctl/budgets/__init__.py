"""Budgets: what may be spent, what was, and who is told."""

from costctl.budgets.file import FILE_NAME, load
from costctl.budgets.model import Budget, Budgets

__all__ = ["FILE_NAME", "Budget", "Budgets", "load"]

"""Questions asked of the ledger; each is one call that returns a report."""

from costctl.analysis.measures import P95
from costctl.analysis.questions import QuestionError
from costctl.analysis.summary import summary

__all__ = ["P95", "QuestionError", "summary"]

"""Questions asked of the ledger; each is one call that returns a report."""

from costctl.analysis.anomalies import LEAST_IMPACT, SCOPES, UNSEEN, anomalies
from costctl.analysis.backtest import backtest
from costctl.analysis.bill import bill
from costctl.analysis.changes import MEASURED, STEPS
from costctl.analysis.compare import compare
from costctl.analysis.conversion import in_currency
from costctl.analysis.costs import cost_summary
from costctl.analysis.forecast import forecast
from costctl.analysis.gaps import rejects, unpriced
from costctl.analysis.measures import P95
from costctl.analysis.price_check import price_check
from costctl.analysis.questions import QuestionError
from costctl.analysis.reconcile import reconcile
from costctl.analysis.reported import reported
from costctl.analysis.showback import showback
from costctl.analysis.sources import sources
from costctl.analysis.summary import summary
from costctl.analysis.unallocated import unallocated

__all__ = [
    "LEAST_IMPACT",
    "MEASURED",
    "P95",
    "SCOPES",
    "STEPS",
    "UNSEEN",
    "QuestionError",
    "anomalies",
    "backtest",
    "bill",
    "compare",
    "cost_summary",
    "forecast",
    "in_currency",
    "price_check",
    "reconcile",
    "rejects",
    "reported",
    "showback",
    "sources",
    "summary",
    "unallocated",
    "unpriced",
]

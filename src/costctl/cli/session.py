"""One run of a command: its settings, what it says, what it shows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from costctl import config
from costctl.cli import options
from costctl.cli.help import Command
from costctl.terminal import closed_pipe_ends_quietly, say

if TYPE_CHECKING:
    from costctl.budgets import Budgets
    from costctl.cli.progress import Patience
    from costctl.currency import Rates
    from costctl.filters import Filter
    from costctl.ledger import Ledger
    from costctl.periods import Period
    from costctl.pricing.book import PriceBook
    from costctl.render import Format
    from costctl.report import Outcome, Report

Options = dict[str, Any]
"""Options that commands share: the name of each, and its annotation."""

PERIOD: Options = {
    "since": options.Since,
    "until": options.Until,
    "last": options.Last,
    "month": options.Month,
    "tz": options.Tz,
    "now": options.Now,
}
NOW: Options = {"now": options.Now}
MONTH: Options = {name: PERIOD[name] for name in ("month", "tz", "now")}
ZONE: Options = {"tz": options.Tz}
FILTER: Options = {"where": options.Where, "grain": options.Grain}
OUTPUT: Options = {
    "format": options.Format,
    "out": options.Out,
    "force": options.Force,
    "quiet": options.Quiet,
    "verbose": options.Verbose,
}
LEDGER: Options = {"db": options.Db, "wait": options.Wait}
MONEY: Options = {"currency": options.Currency}
"""Of commands whose amounts may be shown in another currency."""
PRICES: Options = {"prices": options.Prices}
ALLOCATION: Options = {"allocation": options.Allocation}
BUDGETS: Options = {"budgets": options.Budgets}


class CommandError(Exception):
    """A command that could not do all that it was asked; ``code`` is the word that programs match."""

    def __init__(self, message: str, hint: str = "", code: str = "failed") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


@dataclass(frozen=True)
class Session:
    """What holds while a command runs. ``given`` are the shared options by name."""

    settings: config.Settings
    given: Options

    @classmethod
    def begin(cls, given: Options) -> Session:
        """The session of a command with these options. Raises the errors of :func:`costctl.config.load`, and
        :class:`costctl.render.OutputError` where the result could not be written."""
        settings = config.load(
            db=given.get("db"),
            tz=given.get("tz"),
            format=given.get("format"),
            prices=given.get("prices"),
            allocation=given.get("allocation"),
            budgets=given.get("budgets"),
            currency=given.get("currency"),
            wait=given.get("wait"),
            quiet=given.get("quiet") or None,
        )
        session = cls(settings, given)
        if session.converts:
            _ = session.rates  # a fault in them is told before the work
        if given.get("verbose"):
            session.say(f"settings: {session.settings.file or 'none'}")
            session.say(f"ledger: {session.settings.db}")
        if session.out is not None:
            from costctl.render import check

            check(session.out, force=given["force"], refuse=session.ledger.own_files)
        return session

    @property
    def out(self) -> Path | None:
        out = self.given.get("out")
        return Path(out).expanduser() if out else None

    @cached_property
    def patience(self) -> Patience:
        """Ends where anything is said or shown."""
        from costctl.cli.progress import Patience

        return Patience(self.settings.quiet)

    @cached_property
    def ledger(self) -> Ledger:
        from costctl.ledger import Ledger

        return Ledger(self.settings.db, self.settings.wait, self.say)

    @cached_property
    def book(self) -> PriceBook:
        """The shipped prices under the user's own. Raises :class:`costctl.documents.DocumentError`."""
        from costctl.pricing.book import PriceBook

        return PriceBook.load(self.settings.prices)

    @cached_property
    def now(self) -> datetime:
        """``--now``, else the clock's. Raises :class:`costctl.config.SettingError`."""
        given = self.given.get("now")
        if given is None:
            return datetime.now(UTC)
        from costctl.cli.values import instant

        return instant("--now", given, self.settings.zone)

    @property
    def converts(self) -> bool:
        """Whether the command's amounts are to be shown in another currency than USD."""
        return "currency" in self.given and self.settings.currency != "USD"

    @cached_property
    def rates(self) -> Rates:
        """The exchange rates. Raises :class:`costctl.documents.DocumentError`, and CommandError where there
        are none."""
        from costctl.currency import read

        if self.settings.currency_file is None:
            raise CommandError(
                f"there are no exchange rates: no {config.CURRENCY_NAME} beside costctl.yaml, or here",
                "its form is shown in currency.example.yaml; costctl.yaml or COSTCTL_CURRENCY_FILE names one",
                "not_found",
            )
        return read(self.settings.currency_file)

    def read_budgets(self, environment: Mapping[str, str] | None) -> Budgets:
        """The budgets.yaml; ``environment`` fills what channels take from it, None leaves that as written.
        Raises :class:`costctl.documents.DocumentError`, and CommandError where there is no such file."""
        from costctl.budgets import load

        if self.settings.budgets is None:
            raise CommandError(
                f"there are no budgets: no {config.BUDGETS_NAME} beside costctl.yaml, or here",
                "name one with --budgets; its form is shown in budgets.example.yaml",
                "not_found",
            )
        return load(self.settings.budgets, environment)

    def rates_of(self, budgets: Budgets) -> Rates | None:
        """The exchange rates, where a budget needs them."""
        return None if all(each.currency == "USD" for each in budgets.budgets) else self.rates

    def _in_currency(self, report: Report) -> Report:
        """``report`` at the rate of its last day, or of today if that is earlier."""
        from costctl.analysis import in_currency

        day = self.now.astimezone(self.settings.zone).date()
        if report.period is not None and report.period.end is not None:
            end = datetime.fromisoformat(report.period.end) - timedelta(microseconds=1)
            day = min(day, end.astimezone(self.settings.zone).date())
        return in_currency(report, self.rates.on(self.settings.currency, day))

    @property
    def period(self) -> Period:
        """What --since, --until, --last and --month say. Raises :class:`costctl.periods.PeriodError`."""
        from costctl.periods import period

        names = ("since", "until", "last", "month")
        return period(**{name: self.given[name] for name in names}, zone=self.settings.zone, now=self.now)

    def refuse_of_ledger(self, question: str) -> None:
        """Refuse what only chooses calls of the ledger, of a ``question`` that asks nothing of it."""
        for name in ("where", "grain", "since", "until", "last", "month"):
            if self.given[name]:
                raise config.SettingError(f"{question} asks nothing of the ledger", f"leave out --{name}")

    @property
    def filters(self) -> tuple[Filter, ...]:
        """What --where says. Raises :class:`costctl.filters.FilterError`."""
        from costctl.filters import parse

        return tuple(parse(text) for text in self.given["where"] or ())

    @property
    def grain(self) -> str:
        """What --grain says."""
        return self.given["grain"] or "auto"

    def say(self, text: str) -> None:
        """Talk on standard error, unless --quiet."""
        from costctl.render import printable

        self.patience.end()
        if not self.settings.quiet:
            say(printable(text))

    def show(self, report: Report | Outcome) -> None:
        """Write the result to standard output, or to --out and say so. Raises OSError where that fails."""
        from costctl.render import remarks, render, write
        from costctl.report import Report

        self.patience.end()
        if self.converts and isinstance(report, Report):
            report = self._in_currency(report)
        if self.out is not None:
            write(report, self.out, force=self.given["force"], refuse=self.ledger.own_files)
            self.say(f"wrote {self.out}")
        else:
            with closed_pipe_ends_quietly(sys.stdout):
                render(report, cast("Format", self.settings.format))
        written = self.out.suffix.lower() if self.out else f".{self.settings.format}"
        if written == ".csv":  # has no room for them
            for sentence in remarks(report):
                self.say(sentence)


def command(
    app: typer.Typer,
    name: str,
    *shared: Options,
    examples: str,
    panel: str = "",
    doing: str = "",
    begin: Callable[[Options], Session] = Session.begin,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the command ``name``: its own parameters, then the ``shared`` options, with
    which its first argument, the :class:`Session`, begins. ``doing`` is what a terminal is told where the
    answer takes long."""
    common = {key: annotation for group in shared for key, annotation in group.items()}

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            session = begin({key: values.pop(key) for key in common})
            if doing:
                session.patience.start(doing)
            try:
                function(session, **values)
            finally:
                session.patience.end()

        _, *own = signature(function, eval_str=True).parameters.values()
        added = [_parameter(key, annotation) for key, annotation in common.items()]
        run.__signature__ = Signature([*(each.replace(kind=Parameter.KEYWORD_ONLY) for each in own), *added])  # type: ignore[attr-defined]
        run.__doc__ = function.__doc__
        run.__annotations__ = {}
        app.command(name, cls=Command, epilog=examples, rich_help_panel=panel or None)(run)
        return function

    return decorate


def _parameter(name: str, annotation: Any) -> Parameter:
    default = False if annotation.__origin__ is bool else None
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

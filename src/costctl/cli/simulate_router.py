"""``costctl simulate-router``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, Session, command
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.documents import Document
    from costctl.report import Report
    from costctl.simulate.quality import QualityTable
    from costctl.simulate.router import Router
    from costctl.simulate.scheme import Scheme

app = typer.Typer()

ROUTE, SHAPE = "Routing", "Shape"

Rules = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A router.yaml: which calls go to which model, or how the complexity of tasks is told.",
        rich_help_panel=ROUTE,
    ),
]
PolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="A policy.yaml: models, and the one for each complexity. Default: the default policy.",
        rich_help_panel=ROUTE,
    ),
]
Priority = Annotated[
    str | None,
    typer.Option(
        "--quality-priority",
        metavar="Q",
        help="Choose by the score with this weight of quality, 0 to 1, not by the policy's fixed models.",
        rich_help_panel=ROUTE,
    ),
]
MaxCost = Annotated[
    str | None,
    typer.Option(
        "--max-cost",
        metavar="N",
        help="The highest cost multiplier that the score may choose: of the default policy 1, 12 or 60.",
        rich_help_panel=ROUTE,
    ),
]
MaxLatency = Annotated[
    str | None,
    typer.Option(
        "--max-latency",
        metavar="MS",
        help="The highest mean latency of a model that the score may choose, in milliseconds.",
        rich_help_panel=ROUTE,
    ),
]
Quality = Annotated[
    str | None,
    typer.Option(
        "--quality",
        metavar="FILE",
        help="A CSV file of task, model, quality. It chooses models; beside --rules or --policy it judges.",
        rich_help_panel=ROUTE,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="The label of a call that is its task in --quality, as in --by: tag:feature or project.",
        show_default="tag:complexity",
        rich_help_panel=ROUTE,
    ),
]
Ratio = Annotated[
    str | None,
    typer.Option(
        "--token-ratio",
        metavar="R",
        help="Tokens on a new model for each on the old one, where router.yaml does not say.",
        show_default="1",
        rich_help_panel=ROUTE,
    ),
]
Sweep = Annotated[
    bool,
    typer.Option(
        "--sweep",
        help="A row for each quality priority from 0 to 1: saving, quality, and which are efficient.",
        rich_help_panel=SHAPE,
    ),
]
WritePolicy = Annotated[
    str | None,
    typer.Option(
        "--write-policy",
        metavar="FILE",
        help="Write what was chosen as a policy.yaml for costctl.sdk.ModelRouter.",
        rich_help_panel=SHAPE,
    ),
]


@command(
    app,
    "simulate-router",
    PERIOD,
    FILTER,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    doing="pricing the calls anew",
    examples="""
costctl simulate-router --month 2024-10
costctl simulate-router --last 30d --rules router.yaml
costctl simulate-router --month 2024-10 --quality-priority 0.2 --max-latency 1500
costctl simulate-router --month 2024-10 --quality quality.csv --sweep
costctl simulate-router --month 2024-10 --write-policy policy.yaml
""",
)
def simulate_router(
    session: Session,
    rules: Rules = None,
    policy: PolicyOption = None,
    quality_priority: Priority = None,
    max_cost: MaxCost = None,
    max_latency: MaxLatency = None,
    quality: Quality = None,
    task: Task = None,
    token_ratio: Ratio = None,
    sweep: Sweep = False,
    write_policy: WritePolicy = None,
) -> None:
    """Say what calls would have cost on other models.

    Without options each call goes to the default policy's model for its tag complexity. Its tokens are its
    own, at the new model's price of their date and tier; what is taken for granted stands under the result.
    """
    asked = {
        "--quality-priority": quality_priority,
        "--max-cost": max_cost,
        "--max-latency": max_latency,
        "--policy": policy,
        "--token-ratio": token_ratio,
    }
    choice = _Choice(session, {name: each for name, each in asked.items() if each is not None})
    if task is not None and quality is None:
        raise SettingError(
            "--task is of a table of quality", "as in --quality quality.csv --task tag:feature"
        )
    table = None if quality is None else choice.table(quality, task or "tag:complexity")
    document = None if rules is None else choice.document(rules)
    if write_policy is not None:
        from costctl.render import check

        target = Path(write_policy).expanduser()
        check(
            target, force=session.given["force"], refuse=session.ledger.own_files, endings=(".yaml", ".yml")
        )
    if document is not None and "rules" in document.data:
        if sweep or write_policy is not None:
            option = "--sweep" if sweep else "--write-policy"
            raise SettingError(
                f"{option} is of models by complexity or task", "leave out the rules of --rules"
            )
        router = choice.by_rules(document)
        session.show(_answer(session, router, table))
        return
    scheme = choice.scheme(document, table)
    priority = choice.priority(document)
    if sweep:
        if priority is not None:
            raise SettingError("--sweep takes every quality priority", "leave out --quality-priority")
        if write_policy is not None:
            hint = "leave out --sweep, and say --quality-priority"
            raise SettingError("--sweep chooses no policy that could be written", hint)
        from costctl.simulate.sweep import sweep as swept

        session.show(
            swept(
                session.ledger,
                scheme,
                book=session.book,
                period=session.period,
                where=session.filters,
                grain=session.grain,
                quality=table,
            )
        )
    else:
        answer = _answer(session, scheme.router(priority), table)
        session.show(answer)
        if not answer.calls:
            from costctl.cli.report import say_where_calls_are

            say_where_calls_are(session, answer)
    if write_policy is not None:
        _write(session, scheme, priority, target)


def _answer(session: Session, router: Router, table: QualityTable | None) -> Report:
    from costctl.simulate.routed import simulate_router

    return simulate_router(
        session.ledger,
        router,
        book=session.book,
        period=session.period,
        where=session.filters,
        grain=session.grain,
        quality=table,
    )


def _write(session: Session, scheme: Scheme, priority: Decimal | None, target: Path) -> None:
    from costctl.render import replaced
    from costctl.simulate.scheme import text

    said = "Written by costctl simulate-router."
    with replaced(target) as stream:
        stream.write(text(scheme.policy(priority), said).encode())
    session.say(f"wrote {target}")


class _Choice:
    """What the options and files say together."""

    def __init__(self, session: Session, given: dict[str, str]) -> None:
        self._session = session
        self._given = given

    def table(self, file: str, task: str) -> QualityTable:
        from costctl.analysis.dimensions import dimension
        from costctl.simulate.quality import read

        if dimension(task).is_time:
            raise SettingError(f"--task: a {task} is no task", "as in --task tag:feature")
        return read(Path(file).expanduser(), task)

    def document(self, file: str) -> Document:
        from costctl.documents import read

        return read(Path(file).expanduser(), "router")

    def by_rules(self, document: Document) -> Router:
        from costctl.simulate.router_file import of_document

        for option in ("--quality-priority", "--max-cost", "--max-latency", "--policy"):
            if option in self._given:
                raise SettingError(f"{option} has no meaning beside rules", "leave out the one or the other")
        router = of_document(document)
        if "--token-ratio" in self._given:
            ratio = self._ratio()
            stated = document.data["rules"]
            router = replace(
                router,
                rules=tuple(
                    rule if "token_ratio" in said else replace(rule, token_ratio=ratio)
                    for rule, said in zip(router.rules, stated, strict=True)
                ),
            )
        return router

    def scheme(self, document: Document | None, table: QualityTable | None) -> Scheme:
        from costctl.routing import DEFAULT, read
        from costctl.simulate.router_file import policy_of, told_by
        from costctl.simulate.scheme import ByPolicy, ByTable

        limit = self._number("--max-cost", document, "max_cost")
        latency = self._number("--max-latency", document, "max_latency_ms")
        if table is not None and document is None and "--policy" not in self._given:
            if latency is not None:
                raise SettingError("a table of quality knows no latency", "leave out --max-latency")
            return ByTable.of(table, self._session.book, self._at(), limit, self._ratio())
        if "--token-ratio" in self._given:
            hint = "as in --rules router.yaml or --quality quality.csv"
            raise SettingError("--token-ratio is of rules or a table of quality", hint)
        base = policy_of(document) if document is not None else DEFAULT
        if "--policy" in self._given:
            base = read(Path(self._given["--policy"]).expanduser())
        return ByPolicy(base, told_by(document) if document is not None else (), limit, latency)

    def priority(self, document: Document | None) -> Decimal | None:
        return self._number("--quality-priority", document, "quality_priority")

    def _number(self, option: str, document: Document | None, key: str) -> Decimal | None:
        if option in self._given:
            return _decimal(option, self._given[option])
        said: Any = None if document is None else document.data.get(key)
        return None if said is None else Decimal(said)

    def _ratio(self) -> Fraction:
        text = self._given.get("--token-ratio")
        return Fraction(1) if text is None else Fraction(_decimal("--token-ratio", text))

    def _at(self) -> Any:
        """When the prices hold that a table's models are compared by: at the end of the period."""
        end = self._session.period.end
        return min(end - timedelta(microseconds=1), self._session.now) if end else self._session.now


def _decimal(option: str, text: str) -> Decimal:
    import re

    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        raise SettingError(f"{option}: {text!r} is not a number from 0 on", "in digits, as in 12 or 0.25")
    return Decimal(text)

"""The options that commands share, each defined once."""

from __future__ import annotations

from typing import Annotated

import typer

PERIOD, FILTER, OUTPUT, LEDGER = "Period", "Filter", "Output", "Ledger"
"""The sections of a command's help."""

# --- when -------------------------------------------------------------------------------------------------

Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="From this day, time or period on: 2024-10-01, 2024-10, yesterday, last-month.",
        rich_help_panel=PERIOD,
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="WHEN", help="Up to the end of this day or period.", rich_help_panel=PERIOD
    ),
]
Last = Annotated[
    str | None,
    typer.Option(
        "--last",
        metavar="LENGTH",
        help="The last whole hours, days, weeks, months or years and the present one: 24h, 7d, 3w, 2m, 1y.",
        rich_help_panel=PERIOD,
    ),
]
Month = Annotated[
    str | None,
    typer.Option(
        "--month",
        metavar="MONTH",
        help="One month: 2024-10, this-month, last-month.",
        rich_help_panel=PERIOD,
    ),
]
Tz = Annotated[
    str | None,
    typer.Option(
        "--tz",
        metavar="ZONE",
        help="The zone of days and months, as in Europe/Berlin. Default: the machine's. [COSTCTL_TZ]",
        rich_help_panel=PERIOD,
    ),
]
Now = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="TIME",
        help="Answer as if it were this time: 2024-11-01T09:00.",
        rich_help_panel=PERIOD,
    ),
]

# --- which calls ------------------------------------------------------------------------------------------

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only calls like these: team=search, team!=search,ads, model~opus, tag:env=prod. Repeatable.",
        rich_help_panel=FILTER,
    ),
]

Grain = Annotated[
    str | None,
    typer.Option(
        "--grain",
        metavar="GRAIN",
        help="What counts: auto (calls, and buckets of usage reports where there are no calls of their day), "
        "call, or bucket.",
        show_default="auto",
        rich_help_panel=FILTER,
    ),
]

# --- output -----------------------------------------------------------------------------------------------

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="table|json|csv|md",
        help="How the result is written. Default: table. [COSTCTL_FORMAT]",
        rich_help_panel=OUTPUT,
        autocompletion=lambda: ["table", "json", "csv", "md"],
    ),
]
Currency = Annotated[
    str | None,
    typer.Option(
        "--currency",
        metavar="CODE",
        help="Show amounts in this currency, by the rates of currency.yaml: TWD. [COSTCTL_CURRENCY]",
        rich_help_panel=OUTPUT,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write to this file, in the format of its ending: .json, .csv, .md, .parquet, .txt.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Let --out replace a file.", rich_help_panel=OUTPUT)]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Print results and errors only. [COSTCTL_QUIET]", rich_help_panel=OUTPUT
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Say which settings and which ledger are used.", rich_help_panel=OUTPUT
    ),
]

# --- ledger and prices ------------------------------------------------------------------------------------

Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE",
        help="The ledger. Default: the one of costctl.yaml, else your own. [COSTCTL_DB]",
        rich_help_panel=LEDGER,
    ),
]
Wait = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        help="Wait this long for a ledger that another process holds. Default: 30. [COSTCTL_WAIT]",
        rich_help_panel=LEDGER,
    ),
]
Prices = Annotated[
    str | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="Your own prices, a prices.yaml. [COSTCTL_PRICES]",
        rich_help_panel=LEDGER,
    ),
]
Allocation = Annotated[
    str | None,
    typer.Option(
        "--allocation",
        metavar="FILE",
        help="The rules. Default: allocation.yaml beside costctl.yaml, or here. [COSTCTL_ALLOCATION]",
        rich_help_panel=LEDGER,
    ),
]
Budgets = Annotated[
    str | None,
    typer.Option(
        "--budgets",
        metavar="FILE",
        help="The budgets. Default: budgets.yaml beside costctl.yaml, or here. [COSTCTL_BUDGETS]",
        rich_help_panel=LEDGER,
    ),
]

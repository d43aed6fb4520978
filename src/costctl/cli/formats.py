"""``costctl formats``."""

from __future__ import annotations

import typer

from costctl.cli.session import OUTPUT, Session, command

app = typer.Typer()


@command(app, "formats", OUTPUT, examples="costctl formats\ncostctl formats --format json")
def formats(session: Session) -> None:
    """List the input formats that ingest understands."""
    from costctl.formats import FORMATS
    from costctl.report import Column, Report

    session.show(
        Report(
            command="formats",
            title="Input formats",
            columns=(
                Column("name", "text"),
                Column("title", "text", title="what it is"),
                Column("shapes", "text"),
            ),
            rows=[(each.name, each.title, ", ".join(each.shapes)) for each in FORMATS.values()],
            notes=("Plain files, .gz and .zst; - is standard input. --as NAME overrides recognition.",),
        )
    )

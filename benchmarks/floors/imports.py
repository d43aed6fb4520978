"""Floor of ``costctl --help``: python with the two packages that a command line cannot do without."""

import rich  # noqa: F401
import typer  # noqa: F401

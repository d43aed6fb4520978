"""The installed ``costctl``, run in a home of its own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

SCRIPT = Path(sys.executable).with_name("costctl")


@dataclass(frozen=True)
class Run:
    """What a run of the program gave back: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON with exact numbers."""
        assert self.out, self.err
        return json.loads(self.out, parse_float=Decimal)

    @property
    def error(self) -> Any:
        """The error of a run with ``--format json``: standard error, which must hold nothing else."""
        return json.loads(self.err)["error"]


class Started(subprocess.Popen[bytes]):
    """In a ``with``: waited for where all went well, else killed, so that a test fails and does not hang."""

    def __exit__(self, kind: type[BaseException] | None, *said: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *said)


@dataclass
class Costctl:
    """Runs ``costctl`` with an empty home, in the directory :attr:`cwd`, with no setting from outside.

    ``tz`` is UTC. :attr:`environment` holds for every run, ``env`` for one; a None in it
    takes a variable away.
    """

    home: Path
    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        """The ledger that is used where none is named."""
        return self.home / "data" / "costctl" / "ledger.duckdb"

    def variables(self, env: Mapping[str, str | None] | None = None) -> dict[str, str]:
        inherited = {"PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "SYSTEMROOT"}
        variables: dict[str, str | None] = {
            **{name: value for name, value in os.environ.items() if name in inherited},
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "TZ": "UTC",
            **self.environment,
            **(env or {}),
        }
        return {name: value for name, value in variables.items() if value is not None}

    def __call__(
        self,
        *arguments: str | os.PathLike[str],
        input: str | bytes | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
    ) -> Run:
        """Run ``costctl`` with ``arguments`` and wait for its end (a minute at most)."""
        done = subprocess.run(
            [SCRIPT, *arguments],
            input=input.encode() if isinstance(input, str) else input or b"",
            capture_output=True,
            env=self.variables(env),
            cwd=cwd or self.cwd,
            timeout=60,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def on_a_terminal(
        self,
        *arguments: str | os.PathLike[str],
        stream: Literal["stdout", "stderr"] = "stdout",
        env: Mapping[str, str | None] | None = None,
    ) -> Run:
        """Run ``costctl`` with one of its streams on a terminal, and take what it writes to both: to the
        other one no more than a pipe holds."""
        ours, theirs = pty.openpty()
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: theirs}
        process = self.start(*arguments, **streams, env=self.variables({"TERM": "xterm", **(env or {})}))
        os.close(theirs)
        shown = b""
        with process, open(ours, "rb", buffering=0) as terminal:
            with suppress(OSError):  # EIO: the process has closed its end
                while part := terminal.read(65536):
                    shown += part
            out, err = process.communicate(timeout=60)
        written = {"stdout": out, "stderr": err, stream: shown}
        return Run(process.returncode, written["stdout"].decode(), written["stderr"].decode())

    def start(self, *arguments: str | os.PathLike[str], **options: Any) -> Started:
        """Start ``costctl`` and do not wait; ``options`` are Popen's."""
        options.setdefault("env", self.variables())
        options.setdefault("cwd", self.cwd)
        return Started([SCRIPT, *arguments], **options)

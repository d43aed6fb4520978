"""The files that usage came from: gone, grown since, or about to be deleted by their owner."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from costctl.doctor.finding import Case, Finding, plural
from costctl.ledger.sources import Source, compared

_DAY = 86_400
DEFAULT_DAYS = 30
"""Claude Code deletes transcripts that were not written to for so long, when it starts (code.claude.com,
"Explore the .claude directory", application data)."""
_SOON_DAYS = 7
_MANAGED = (
    Path("etc/claude-code/managed-settings.json"),
    Path("Library/Application Support/ClaudeCode/managed-settings.json"),
)
"""An organization's settings, which go before the user's."""
_FORMAT = "claude-code"


def vanished(case: Case, sources: Mapping[str, Source]) -> Iterator[Finding]:  # noqa: ARG001
    """Files that are gone. Their calls stay, but nothing can be read from them again."""
    files = [each for each in sources.values() if not each.is_stream and not each.is_merged]
    gone = [each for each in files if not os.path.lexists(each.path)]
    own = [each for each in gone if each.format == _FORMAT]
    others = [each for each in gone if each.format != _FORMAT]
    if own:
        what = (
            f"{plural(len(own), 'transcript')} that Claude Code has deleted; the ledger has what was in them"
        )
        yield Finding("gone", "ok", what)
    if others:
        named = others[0].path + (f" and {len(others) - 1:,} more" if len(others) > 1 else "")
        what = f"{plural(len(others), 'file')}: {named}"
        hint = "their calls stay, but cannot be read again: keep a copy of the ledger"
        yield Finding("gone", "warning", what, hint)
    if files and not gone:
        yield Finding("gone", "ok", "every file that was read is still there")


def waiting(case: Case, sources: Mapping[str, Source]) -> Iterator[Finding]:  # noqa: ARG001
    """Files that have more than was read of them."""
    changed = [each.path for each in sources.values() if _has_more(each)]
    if changed:
        named = changed[0] + (f" and {len(changed) - 1:,} more" if len(changed) > 1 else "")
        what = f"{plural(len(changed), 'file has', 'files have')} changed since: {named}"
        yield Finding(
            "not read yet", "warning", what, "`costctl ingest` them again; `costctl sources` lists them"
        )
    elif sources:
        yield Finding("not read yet", "ok", "no file has changed since it was read")


def _has_more(source: Source) -> bool:
    if source.is_stream or source.is_merged:
        return False
    try:
        return compared(Path(source.path), source) != "unchanged"
    except OSError:
        return False  # gone, which is told elsewhere


def transcripts(case: Case, sources: Mapping[str, Source]) -> Iterator[Finding]:
    """Claude Code's transcripts that it will delete within a week, and whether the ledger has them."""
    for directory in case.transcripts:
        days, said = cleanup_days(directory.parent, case.root)
        if days is None:
            yield Finding("transcripts", "warning", said, "put it right in Claude Code's settings")
            continue
        soon = [
            path for path in sorted(directory.rglob("*.jsonl")) if _age_days(path, case) >= days - _SOON_DAYS
        ]
        missing = [path for path in soon if not _is_known(path, sources)]
        if missing:
            what = (
                f"{plural(len(missing), 'transcript')} in {directory} that Claude Code may delete within "
                f"{_SOON_DAYS} days {'is' if len(missing) == 1 else 'are'} not in the ledger"
            )
            hint = f"`costctl ingest --claude-code`; {said}: a greater cleanupPeriodDays keeps them longer"
            yield Finding("transcripts", "problem", what, hint)
        elif soon:
            many = plural(len(soon), "transcript")
            what = f"Claude Code may delete {many} within {_SOON_DAYS} days; the ledger has all of them"
            yield Finding("transcripts", "ok", what)
        else:
            yield Finding("transcripts", "ok", f"none in {directory} is about to be deleted ({said})")


def cleanup_days(home: Path, root: Path = Path("/")) -> tuple[float | None, str]:
    """After how many days Claude Code, whose directory is ``home``, deletes transcripts; and where that is
    said. None where a file says something else than a number."""
    for path in (*(root / each for each in _MANAGED), home / "settings.json"):
        try:
            said: Any = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            return None, f"{path} cannot be read: {error}"
        days = said.get("cleanupPeriodDays") if isinstance(said, dict) else None
        if days is None:
            continue
        if isinstance(days, bool) or not isinstance(days, int | float) or days < 0:
            return None, f"{path}: cleanupPeriodDays is no number of days"
        return days, f"cleanupPeriodDays is {days:g} in {path}"
    return DEFAULT_DAYS, f"it deletes them after {DEFAULT_DAYS} days"


def _age_days(path: Path, case: Case) -> float:
    try:
        return (case.now.timestamp() - path.stat().st_mtime) / _DAY
    except OSError:
        return -1.0  # deleted meanwhile


def _is_known(path: Path, sources: Mapping[str, Source]) -> bool:
    """Whether the ledger has all of a file, or it is gone by now."""
    known = sources.get(os.path.realpath(path))
    try:
        return known is not None and compared(path, known) == "unchanged"
    except OSError:
        return True


CHECKS: Mapping[str, Callable[[Case, Mapping[str, Source]], Iterator[Finding]]] = {
    "not read yet": waiting,
    "gone": vanished,
    "transcripts": transcripts,
}

"""Whose a call is: labels that hold for a client, for a block of code, or for one call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Labels:
    """The book's four, and free tags."""

    user_id: str | None = None
    team_id: str | None = None
    project_id: str | None = None
    agent_id: str | None = None
    tags: Mapping[str, object] = field(default_factory=dict)

    def over(self, others: Labels) -> Labels:
        """These, and of ``others`` what these do not say."""
        return Labels(
            self.user_id or others.user_id,
            self.team_id or others.team_id,
            self.project_id or others.project_id,
            self.agent_id or others.agent_id,
            {**others.tags, **self.tags},
        )

    def checked(self) -> Labels:
        """These, if a line of the log can hold them. Raises TypeError and ValueError: where a client says
        them, each of its calls would lose its line."""
        said = (self.user_id, self.team_id, self.project_id, self.agent_id, dict(self.tags))
        json.dumps(said, allow_nan=False)
        return self


NO_LABELS = Labels()
_CURRENT: ContextVar[Labels] = ContextVar("costctl_labels", default=NO_LABELS)


def current() -> Labels:
    """The labels of the block that runs now, in this thread or task."""
    return _CURRENT.get()


@contextmanager
def labelled(labels: Labels) -> Iterator[None]:
    """Let ``labels`` hold in the block, over those of a block around it."""
    token = _CURRENT.set(labels.over(_CURRENT.get()))
    try:
        yield
    finally:
        _CURRENT.reset(token)

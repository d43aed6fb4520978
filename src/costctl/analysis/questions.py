"""What is asked wrongly: a question that cannot be answered, and what could be asked instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QuestionError(ValueError):
    """A question that cannot be answered; ``hint`` says what could be asked."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def unknown(kind: str, name: str, known: Iterable[str]) -> QuestionError:
    """The error for a ``name`` that is none of ``known``, with the nearest one and all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"known are {', '.join(names)}"
    return QuestionError(f"unknown {kind} {name!r}", f"did you mean {near[0]}? {hint}" if near else hint)

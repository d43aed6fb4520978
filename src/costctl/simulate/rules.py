"""What rules in a file have in common, each fault with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from costctl import filters
from costctl.analysis import QuestionError
from costctl.filters import Filter, FilterError
from costctl.simulate.cuts import CutError

if TYPE_CHECKING:
    from costctl.documents import Document

Place = Sequence[str | int]

T = TypeVar("T")


def conditions(document: Document, place: Place, entry: Mapping[str, Any]) -> tuple[Filter, ...]:
    """The filters that ``entry``, at ``place``, says under ``where``. Raises
    :class:`costctl.documents.DocumentError`."""
    return tuple(
        understood(document, (*place, "where", number), filters.parse, text)
        for number, text in enumerate(entry.get("where", ()))
    )


def understood(document: Document, place: Place, made: Callable[..., T], *said: Any, **more: Any) -> T:
    """What ``made`` makes of the words at ``place``. Raises :class:`costctl.documents.DocumentError` where it
    does not understand them."""
    try:
        return made(*said, **more)
    except (CutError, FilterError, QuestionError) as error:
        raise document.error(place, f"{named(place)}: {error}" if place else str(error), error.hint) from None


def named(place: Place) -> str:
    """``rules[0].prompt``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")

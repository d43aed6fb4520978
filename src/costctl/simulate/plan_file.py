"""``plan.yaml``: levers that are simulated together, a key for each, in any order.

What a key holds is what the file of its own command holds (``trim`` that of ``simulate-trim``, and so on), or
the name of such a file, beside this one. Its shape is ``costctl/schemas/plan.json``, which
``scripts/build_plan_schema.py`` makes of the schemas of the levers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from costctl.documents import Document
from costctl.documents import read as read_document
from costctl.simulate import batch, cache, discount, eliminate, router_file, summarise, trim
from costctl.simulate.state import Lever


@dataclass(frozen=True, slots=True)
class Entry:
    """What makes a lever of a document of ``schema``."""

    schema: str
    lever: Callable[[Document], Lever]


LEVERS: Mapping[str, Entry] = MappingProxyType(
    {
        "eliminate": Entry("eliminate", eliminate.of_document),
        "trim": Entry("trim", trim.of_document),
        "summarise": Entry("summarise", summarise.of_document),
        "route": Entry("router", router_file.of_document),
        "cache": Entry("cache", cache.of_document),
        "batch": Entry("batch", batch.of_document),
        "discount": Entry("discount", discount.of_document),
    }
)
"""By key, in the natural order of levers."""


def read(path: Path) -> tuple[Lever, ...]:
    """The levers that ``path`` says, in its order. Raises OSError and
    :class:`costctl.documents.DocumentError`, of the file that has the fault."""
    document = read_document(path, "plan")
    return tuple(LEVERS[key].lever(_part(document, key)) for key in document.data)


def _part(document: Document, key: str) -> Document:
    """What the file says of one lever, as a document of its own, with the lines of the file it stands in."""
    said = document.data[key]
    if isinstance(said, str):
        return read_document(document.path.parent / Path(said).expanduser(), LEVERS[key].schema)
    assert document.root.entries is not None
    return Document(document.path, said, document.root.entries[key][1])

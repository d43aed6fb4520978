"""Files that are read by a mapping: which it is, and what of it they do not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from costctl.ingest.plan import File, Skipped
from costctl.ingest.sources import Given
from costctl.ledger.sources import Source

if TYPE_CHECKING:
    from costctl.ingest.task import Task


def with_mappings(files: Sequence[File], known: Mapping[str, Source]) -> list[File]:
    """``files``, of which those that were read by a mapping before are read by it again, unless it is said
    how they are to be read."""
    mapped = [source for source in known.values() if '"map": ' in source.given]
    if not mapped:
        return list(files)
    from costctl.ledger.sources import is_of

    by_file = {(source.device, source.inode): source for source in mapped}
    by_name = {source.path: source for source in mapped}
    result = []
    for file in files:
        source = by_name.get(file.name)
        moved = by_file.get((file.status.st_dev, file.status.st_ino))
        if source is None and moved is not None and is_of(file.path, moved):
            source = moved
        if source is not None and not (file.given.map or file.given.format):
            before = Given.from_json(source.given)
            given = replace(file.given, map=before.map, zone=file.given.zone or before.zone)
            file = replace(file, given=given)
        result.append(file)
    return result


def note_lacking(found: Task, out: Skipped) -> None:
    """Put a word in ``out`` on each column that the mapping of ``found`` names and its file does not have:
    nobody would miss what is misspelt. Of JSON, records may lack what others have."""
    if found.shape not in ("csv", "parquet"):
        return
    from costctl.formats.mapping_faults import lacking
    from costctl.ingest.lines import sample

    names = sample(found.file.path, found.packing)[0].names
    for what in lacking(found.file.given.map, names):
        files = out.lacking.setdefault(what, [])
        if found.file.name not in files:
            files.append(found.file.name)

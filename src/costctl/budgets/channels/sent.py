"""How one attempt to send ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """``status`` is a kind of outcome and its code (``HTTP 429``, ``connection refused``): nothing of an
    address, a header or an answer's text is in it, so that it can be shown and stored.

    ``retry_after``: seconds that the receiver asks to wait. ``final``: another try will most likely end in
    the same way, since it is the settings that are at fault. ``incomplete``: some of its receivers did not
    take it, which ``status`` tells; those who did must not get it again.
    """

    ok: bool
    status: str
    retry_after: float | None = None
    final: bool = False
    incomplete: bool = False

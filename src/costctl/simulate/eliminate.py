"""The lever *eliminate*: calls that failed, and calls that came again, are not made.

A call failed if its source says so. It came again if an equal call, which did not fail, was made at most
``within`` before: of the same model, mode and labels, with the same number of tokens in and out. The ledger
holds no prompts, so equal lengths stand for equal prompts, which is an estimate; where calls carry a hash of
their prompt in a tag, ``prompt_tag`` names it, and the hash alone decides. Rows that stand for several calls
say too little to be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, get_args

from costctl.analysis import QuestionError
from costctl.ledger import tag_path
from costctl.records import PRICED_TOKENS
from costctl.simulate.rules import understood
from costctl.simulate.state import Change, Kind, Setting
from costctl.simulate.trim import PROMPT
from costctl.simulate.waiting import length, said

if TYPE_CHECKING:
    from costctl.documents import Document

Reason = Literal["failed", "repeated"]
REASONS: tuple[Reason, ...] = get_args(Reason)

KEPT = timedelta(hours=24)
"""How long an answer is kept, where nothing else is said."""

_LABELS = "provider, model, team, project, user_id, agent, api_key, workspace"
_FAILED = "coalesce(NOT success, FALSE)"
_NONE = "CAST(NULL AS MAP(VARCHAR, BIGINT))"


@dataclass(frozen=True, slots=True)
class Eliminate:
    """``reasons``: which calls go. Raises :class:`QuestionError` where there is none."""

    reasons: tuple[Reason, ...] = REASONS
    within: timedelta = KEPT
    prompt_tag: str | None = None

    def __post_init__(self) -> None:
        if not self.reasons:
            raise QuestionError("nothing says which calls go", "failed, repeated or both")

    @property
    def name(self) -> str:
        return "eliminate"

    @property
    def kind(self) -> Kind:
        return "eliminate"

    def assumptions(self) -> tuple[str, ...]:
        sentences = []
        if "failed" in self.reasons:
            sentences.append(
                "eliminate: calls that failed were of no use, and would not be made; those whose source does "
                "not say stay"
            )
        if "repeated" in self.reasons:
            same = f"the same tag {self.prompt_tag}" if self.prompt_tag else "as many tokens in and out"
            sentences.append(
                f"eliminate: a call came again if another of the same model and labels, with {same}, was "
                f"made at most {said(self.within)} before and did not fail; a store that keeps "
                "an answer for so long after its last use would have served it at no cost"
            )
            if self.prompt_tag:
                sentences.append(f"eliminate: of calls without a tag {self.prompt_tag} none came again")
            else:
                sentences.append("eliminate: equal lengths stand for equal prompts, which is an estimate")
        return tuple(sentences)

    def change(self, state: str, number: int, setting: Setting) -> Change:
        of = f"_{number}"
        values = {
            **dict.fromkeys(("requests", *PRICED_TOKENS, "reasoning_tokens", "added_pico"), "0"),
            "other_units": _NONE,
        }
        if "repeated" not in self.reasons:
            return Change(f"SELECT * FROM {state}", _FAILED, values)  # noqa: S608 (constants)
        alike, parameters = self._alike(setting)
        within = self.within // timedelta(microseconds=1)
        # Beside the state, so that the window sorts few columns.
        relations = f"""comparable{of} AS (
    SELECT call_key, {_LABELS}, coalesce(mode, 'standard') AS served, {alike} AS alike,
        epoch_us(ts) AS moment
    FROM {state}
    WHERE grain = 'call' AND requests = 1 AND success IS DISTINCT FROM FALSE AND {PROMPT} > 0
),
again{of} AS (
    SELECT call_key, coalesce(moment - lag(moment) OVER same <= {within}, FALSE) AS is_again
    FROM comparable{of}
    WHERE alike IS NOT NULL
    WINDOW same AS (PARTITION BY {_LABELS}, served, alike ORDER BY moment, call_key)
),
repeated{of} AS (SELECT call_key AS key FROM again{of} WHERE is_again)"""  # noqa: S608 (values are bound)
        return Change(
            source=f"SELECT * FROM {state} AS s LEFT JOIN repeated{of} ON key = call_key",  # noqa: S608
            reached=f"key IS NOT NULL OR {_FAILED}" if "failed" in self.reasons else "key IS NOT NULL",
            values=values,
            relations=relations,
            parameters=tuple(parameters),
        )

    def _alike(self, setting: Setting) -> tuple[str, list[object]]:
        """SQL for what equal calls have in common beside their labels, NULL where it is not known, and its
        parameters."""
        if self.prompt_tag is not None:
            return f"nullif({setting.calls.engine.tag()}, '')", [tag_path(self.prompt_tag)]
        lengths = f"CAST({PROMPT} AS VARCHAR) || ' ' || CAST(coalesce(output_tokens, 0) AS VARCHAR)"
        return f"{lengths} || ' ' || coalesce(tags_json, '')", []


def of_document(document: Document) -> Eliminate:
    """The lever that a document of the schema ``eliminate`` says. Raises
    :class:`costctl.documents.DocumentError`."""
    entry = document.data
    reasons = tuple(each for each in REASONS if each in entry.get("calls", REASONS))
    within = understood(document, ("within",), length, entry["within"]) if "within" in entry else KEPT
    return Eliminate(reasons, within, entry.get("prompt_tag"))

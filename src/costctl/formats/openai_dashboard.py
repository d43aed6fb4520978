"""OpenAI's dashboard exports: the Usage page's and the cost page's CSV, comma or tab separated.

Facts: files of the dashboard of October 2025 and September 2026 as public programs read them
(completions_usage_*.csv, cost_*.csv). Columns are named as the Usage and Costs APIs name them, and mean the
same; but the buckets and charges of an export are its own, not those of a page: it may be of fewer kinds, and
of two reports of a day one counts as a whole. pandas wrote them: whole numbers may be "3.0", truths "True",
and a bucket without usage is a row of its times alone, or a file that has no other columns. ISO times may
have no zone: the seconds beside them count.
"""

from __future__ import annotations

from costctl.formats.format import Format
from costctl.formats.openai_usage import (
    COST_COLUMNS,
    COST_CONTENT,
    COST_DIMENSIONS,
    COUNTS,
    DIMENSIONS,
    IS_EMPTY,
    TIMES,
    USAGE_COLUMNS,
    USAGE_CONTENT,
    USAGE_FAULTS,
    USAGE_FIELDS,
    cost_fields,
)
from costctl.formats.sample import Sample

_AMOUNT = ("amount_value", "amount_currency")
_FIGURES = tuple(name for name in COUNTS if name != "num_requests")


def _claims_usage(sample: Sample) -> str:
    if "start_time_iso" not in sample.names or "amount_value" in sample.names:
        return ""
    if set(sample.names) == set(TIMES):
        return "has a bucket's four times and nothing else"
    figure = next((name for name in ("num_model_requests", *_FIGURES) if name in sample.names), "")
    return f"has start_time_iso and {figure}" if figure else ""


def _claims_costs(sample: Sample) -> str:
    return (
        "has start_time_iso and amount_value" if {"start_time_iso", "amount_value"} <= {*sample.names} else ""
    )


def _rows(names: tuple[str, ...], kind: str) -> str:
    """The relation of results as of the APIs; a row of nothing but times is none."""
    columns = ", ".join(f'nullif("{name}", \'\') AS "{name}"' for name in (*TIMES, *names))
    stated = ", ".join(f"nullif(\"{name}\", '')" for name in names)
    return f"""(
    SELECT source_id, line, given_time, given_model, {columns}, {kind} AS kind,
        coalesce({stated}) IS NOT NULL AS has_result,
        FALSE AS is_old, FALSE AS no_data, FALSE AS no_results, CAST(NULL AS VARCHAR) AS holder
    FROM raw
)"""  # noqa: S608 (constants of this module)


_KINDS = """CASE WHEN output_tokens <> '' THEN 'completions' WHEN characters <> '' THEN 'audio_speeches'
    WHEN seconds <> '' THEN 'audio_transcriptions' WHEN images <> '' THEN 'images'
    WHEN usage_bytes <> '' THEN 'vector_stores' WHEN num_sessions <> '' THEN 'code_interpreter_sessions'
    WHEN num_requests <> '' AND num_model_requests <> '' THEN 'web_searches'
    WHEN num_requests <> '' THEN 'file_searches' WHEN input_tokens <> '' THEN 'embeddings'
    ELSE 'completions' END"""
"""A file does not say what it is about but by its figures."""

USAGE = Format(
    name="openai-usage-csv",
    title="usage exports of OpenAI's dashboard (CSV or TSV), as buckets",
    shapes=("csv",),
    claims=_claims_usage,
    raw=dict.fromkeys((*TIMES, *COUNTS, *DIMENSIONS), "VARCHAR"),
    rows=_rows((*COUNTS, *DIMENSIONS), _KINDS),
    empty=IS_EMPTY,
    calls="has_result",
    fields=USAGE_FIELDS,
    columns=USAGE_COLUMNS,
    faults=USAGE_FAULTS,
    id="CAST(NULL AS VARCHAR)",
    content=("'dashboard'", *USAGE_CONTENT),
    lines_stand_alone=False,
)

COSTS = Format(
    name="openai-costs-csv",
    title="cost exports of OpenAI's dashboard (CSV or TSV), as charges",
    shapes=("csv",),
    claims=_claims_costs,
    raw=dict.fromkeys((*TIMES, *_AMOUNT, *COST_DIMENSIONS), "VARCHAR"),
    rows=_rows((*_AMOUNT, *COST_DIMENSIONS), "CAST(NULL AS VARCHAR)"),
    empty=IS_EMPTY,
    calls="has_result",
    yields="charges",
    fields=cost_fields("TRUE", "amount_value"),
    columns=COST_COLUMNS,
    faults=(("f_amount IS NULL", "amount_value: missing"),),
    id="CAST(NULL AS VARCHAR)",
    content=("'dashboard'", *COST_CONTENT),
    lines_stand_alone=False,
)

FORMATS = (USAGE, COSTS)

"""Public traces of language model services: times and token counts of real requests, without prices or ids.

Facts: Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.md, …2024.md, AzureLMMInferenceDataset2025.md;
HPMLL/BurstGPT, README; kvcache-ai/Mooncake, FAST25-release. Where they name no model or no date, a flag does.
A trace may be read twice, at another time or for another model: both are part of what its rows are.
"""

from __future__ import annotations

from costctl.formats import fields
from costctl.formats.fields import Field, count, first_of, instant, label, moment
from costctl.formats.format import Format
from costctl.formats.sample import JSON, Sample

_NO_ID = "CAST(NULL AS VARCHAR)"
_GIVEN = ("given_time", "given_model")
_AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_BURSTGPT = ("Timestamp", "Model", "Request tokens", "Response tokens")
_MOONCAKE = ("timestamp", "input_length", "output_length")


def _azure_claims(sample: Sample) -> str:
    return f"has {', '.join(_AZURE)}" if set(_AZURE) <= set(sample.names) else ""


def _burstgpt_claims(sample: Sample) -> str:
    return f"has {', '.join(_BURSTGPT)}" if set(_BURSTGPT) <= set(sample.names) else ""


def _mooncake_claims(sample: Sample) -> str:
    is_one = any(set(_MOONCAKE) <= line.keys() for line in sample.objects)
    return f"has {', '.join(_MOONCAKE)}" if is_one else ""


def _after_start(raw: str, unit: str, per_second: int) -> Field:
    """When a call began, of a trace that counts ``unit`` from its own start."""
    us = f"TRY_CAST(round(TRY_CAST({raw} AS DECIMAL(38, 9)) * {1_000_000 // per_second}) AS BIGINT)"
    start, name = instant("given_time"), raw.strip('"')
    known = moment(first_of(raw), said=name, value=f"TRY({start} + to_microseconds({us}))")
    faults = (
        (f"{raw} <> '' AND {us} IS NULL", f"{name}: not a number of {unit}"),
        (f"{us} < 0", f"{name}: negative"),
        ("given_time IS NULL", f"{name}: counts from a start, which --time gives"),
    )
    missing, *others = known.faults
    return Field(known.name, known.value, f"{known.good} AND {us} >= 0", (missing, *faults, *others))


AZURE = Format(
    name="trace-azure",
    title="Azure's public LLM inference traces of 2023, 2024 and 2025",
    shapes=("csv",),
    claims=_azure_claims,
    raw=dict.fromkeys(_AZURE, "VARCHAR"),
    fields=(
        moment(first_of("TIMESTAMP"), said="TIMESTAMP"),
        fields.model(),
        count("input_tokens", "ContextTokens", said="ContextTokens", required=True),
        count("output_tokens", "GeneratedTokens", said="GeneratedTokens", required=True),
    ),
    id=_NO_ID,
    content=(*_AZURE, *_GIVEN),
)

_LOG_TYPE = "CASE WHEN \"Log Type\" <> '' THEN CAST(json_object('log_type', \"Log Type\") AS VARCHAR) END"

_ELAPSED = 'CAST(TRY_CAST("Elapsed time" AS DECIMAL(38, 9)) * 1000 AS VARCHAR)'

BURSTGPT = Format(
    name="trace-burstgpt",
    title="the BurstGPT traces, of any version",
    shapes=("csv",),
    claims=_burstgpt_claims,
    raw=dict.fromkeys((*_BURSTGPT, "Log Type", "Session ID", "Elapsed time"), "VARCHAR"),
    fields=(
        _after_start('"Timestamp"', "seconds", 1),
        fields.model('"Model"'),
        count("input_tokens", '"Request tokens"', said="Request tokens", required=True),
        count("output_tokens", '"Response tokens"', said="Response tokens", required=True),
        label("session", '"Session ID"'),
        fields.milliseconds("latency_ms", _ELAPSED),
        Field("tags", _LOG_TYPE),
    ),
    # Nothing was answered: a failure, its README says.
    columns={"success": "f_output_tokens > 0"},
    id=_NO_ID,
    content=tuple(f'"{name}"' for name in (*_BURSTGPT, "Log Type", "Session ID")) + _GIVEN,
)

MOONCAKE = Format(
    name="trace-mooncake",
    title="the Mooncake traces",
    shapes=JSON,
    claims=_mooncake_claims,
    # The hashes tell apart what else is equal.
    raw=dict.fromkeys((*_MOONCAKE, "hash_ids"), "VARCHAR"),
    fields=(
        _after_start('"timestamp"', "milliseconds", 1000),
        fields.model(),
        count("input_tokens", "input_length", said="input_length", required=True),
        count("output_tokens", "output_length", said="output_length", required=True),
    ),
    id=_NO_ID,
    content=('"timestamp"', "input_length", "output_length", "hash_ids", *_GIVEN),
)

FORMATS = (AZURE, BURSTGPT, MOONCAKE)

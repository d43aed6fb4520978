"""Azure OpenAI behind Azure API Management: rows of the table ApiManagementGatewayLlmLog.

Facts: learn.microsoft.com, Azure Monitor table reference, "ApiManagementGatewayLlmLog", and "Monitor API
Management's generative AI gateway". A call has a row for its counts, of SequenceNumber 0, and more for its
messages. PromptTokens include what was cached, and nothing says how much that was.
"""

from __future__ import annotations

from costctl.formats import fields
from costctl.formats.fields import Field, api_key, count, first_of, instant, moment
from costctl.formats.format import Format
from costctl.formats.sample import JSON, Sample

_MARKS = ("CorrelationId", "PromptTokens", "CompletionTokens")
_TIMES = ("TimeGenerated", "TimeGenerated [UTC]", "TimeGenerated [Local Time]")
"""The portal's CSV says in a name in brackets which times its user had chosen."""


def _claims(sample: Sample) -> str:
    for names in (*(each.keys() for each in sample.objects), sample.names):
        if all(name in names for name in _MARKS) and any(name in names for name in _TIMES):
            return f"has {', '.join(_MARKS[:-1])} and {_MARKS[-1]}"
    return ""


_TIME = first_of(*(f'"{name}"' for name in _TIMES), "given_time")


def _in_portal(name: str) -> str:
    """SQL for a time as the portal writes it: 5/1/2026, 10:00:01.000 AM."""
    ways = ", ".join(f"'%-m/%-d/%Y, %-I:%M:%S{fraction} %p'" for fraction in (".%g", ""))
    return f'try_strptime("{name}", [{ways}])'


_MOMENT = (
    f"coalesce({instant(_TIME)}, {_in_portal(_TIMES[1])}, "
    f"make_timestamp(epoch_us(CAST({_in_portal(_TIMES[2])} AS TIMESTAMPTZ))))"
)
_TAGS = (
    "nullif(CAST(json_merge_patch('{}', json_object('deployment', nullif(DeploymentName, ''), "
    "'region', nullif(Region, ''))) AS VARCHAR), '{}')"
)

FORMAT = Format(
    name="azure-apim",
    title="Azure API Management's log of language models (ApiManagementGatewayLlmLog)",
    shapes=(*JSON, "csv"),
    claims=_claims,
    raw=dict.fromkeys(
        (*_TIMES, "CorrelationId", "SequenceNumber", "ModelName", "DeploymentName", "PromptTokens",
         "CompletionTokens", "Region", "ApimSubscriptionId"),
        "VARCHAR",
    ),
    # The rows of higher numbers are parts of its messages.
    calls="(coalesce(nullif(SequenceNumber, ''), '0') IN ('0', '0.0') "
    "AND coalesce(CorrelationId, PromptTokens, CompletionTokens) IS NOT NULL)",
    fields=(
        moment(_TIME, said="TimeGenerated", value=_MOMENT),
        # A deployment is named as one likes, often like its model.
        fields.model("ModelName", "DeploymentName"),
        # Of those who use the gateway, where its other log was joined to this one.
        api_key("ApimSubscriptionId"),
        Field("tags", _TAGS),
        count("input_tokens", "PromptTokens", said="PromptTokens", required=True),
        # An embedding has no output.
        count("completion", "CompletionTokens", said="CompletionTokens"),
    ),
    columns={
        "provider": "'azure'",
        "output_tokens": "coalesce(f_completion, 0)",
        "billing": "'metered'",
    },
    id="'apim:' || nullif(CorrelationId, '')",
    content=(*(f'"{name}"' for name in _TIMES), "ModelName", "DeploymentName", "PromptTokens",
             "CompletionTokens", "ApimSubscriptionId"),
)  # fmt: skip

FORMATS = (FORMAT,)


def _is_diagnostics(sample: Sample) -> str:
    for line in sample.objects:
        category = line.get("category", line.get("Category"))
        if category == "RequestResponse" and {"operationName", "OperationName"} & line.keys():
            return "Azure OpenAI's diagnostics of the category RequestResponse, which have no tokens"
    return ""


REFUSED = (
    (
        _is_diagnostics,
        "export ApiManagementGatewayLlmLog of the API Management before it, or log the answers themselves",
    ),
)
"""What holds no calls, and what to do instead."""

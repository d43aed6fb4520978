"""What the attributes of a span say of a model call, under each of the conventions in use.

Facts: open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-spans.md, and its predecessor in
semantic-conventions v1.36 (gen_ai.*); traceloop/openllmetry, semconv_ai (llm.*, gen_ai.usage.*_tokens,
traceloop.*); Arize-ai/openinference, spec/semantic_conventions.md (llm.token_count.*, llm.cost.*);
ai-sdk.dev, "Telemetry", vercel/ai#13129 and get-convex/agent#191 (ai.*); pydantic/logfire and
langfuse/langfuse#10974 (gen_ai.usage.details.*, gen_ai.usage.cache_read_tokens, operation.cost);
getsentry/sentry-docs (gen_ai.usage.input_tokens.cached); platform.claude.com, "OpenTelemetry span reference"
(anthropic.*).
"""

from __future__ import annotations

from collections.abc import Callable

Attribute = Callable[[str], str]
"""Gives SQL for the text of an attribute by its name, NULL where it is not there."""

_PROVIDER_METADATA = "ai.response.providerMetadata"

NAMES: dict[str, tuple[str, ...]] = {
    "input": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens", "llm.usage.prompt_tokens",
    ),
    "output": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens",
    ),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens", "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.input_tokens.cached",
        "llm.token_count.prompt_details.cache_read", "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.input_tokens.cache_write",
        "llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "uncached": ("ai.usage.inputTokenDetails.noCacheTokens",),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
        "llm.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens",
    ),
    "audio_in": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "audio_out": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
    "total": (
        "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
    "cost": ("gen_ai.usage.cost", "llm.cost.total", "operation.cost"),
    "cost_in": ("llm.cost.prompt",),
    "cost_out": ("llm.cost.completion",),
    # The model that answered goes before the one that was asked for.
    "model": (
        "gen_ai.response.model", "llm.response.model_name", "ai.response.model", "gen_ai.request.model",
        "llm.model_name", "llm.request.model_name", "embedding.model_name", "ai.model.id",
    ),
    "vendor": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "response_id": ("gen_ai.response.id", "ai.response.id"),
    "session_label": (
        "gen_ai.conversation.id", "session.id", "ai.telemetry.metadata.sessionId",
        "traceloop.association.properties.session_id",
    ),
    "user_label": (
        "user.id", "enduser.id", "gen_ai.user", "llm.user", "ai.telemetry.metadata.userId",
        "traceloop.association.properties.user_id",
    ),
    "agent_label": ("gen_ai.agent.name", "agent.name", "ai.telemetry.functionId", "traceloop.workflow.name"),
    "workspace_label": ("anthropic.workspace.id",),
    "tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    "error": ("error.type",),
    "metadata": ("metadata",),
}  # fmt: skip
"""The names of each thing that a span may say, the one that counts first."""

_KIND = "openinference.span.kind"
_OPERATION = "gen_ai.operation.name"
_VERCEL = "ai.operationId"
_REQUEST = "llm.request.type"
_TRACELOOP = "traceloop.span.kind"

ALL_NAMES: tuple[str, ...] = (
    *(name for names in NAMES.values() for name in names),
    _PROVIDER_METADATA, _KIND, _OPERATION, _VERCEL, _REQUEST, _TRACELOOP,
)  # fmt: skip

_CALLS = ("chat", "generate_content", "text_completion", "embeddings")
_NO_CALLS = (
    "invoke_agent", "create_agent", "invoke_workflow", "execute_tool", "retrieval", "plan",
    "agent", "workflow", "task", "tool",
)  # fmt: skip


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def is_call(attribute: Attribute) -> str:
    """SQL for whether a span says of itself that it is a model call (TRUE), or something that adds up calls
    or has none (FALSE); NULL where it has no word of it."""
    kind, operation, vercel = attribute(_KIND), attribute(_OPERATION), attribute(_VERCEL)
    request, traceloop = attribute(_REQUEST), attribute(_TRACELOOP)
    return f"""CASE
        WHEN {kind} IS NOT NULL THEN {kind} IN ('LLM', 'EMBEDDING')
        WHEN {vercel} IS NOT NULL THEN regexp_matches({vercel}, '[.]do(Generate|Stream|Embed)$')
        WHEN {operation} IN ({_listed(_CALLS)}) THEN TRUE
        WHEN {operation} IN ({_listed(_NO_CALLS)}) THEN FALSE
        WHEN {request} IS NOT NULL THEN TRUE
        WHEN {traceloop} IS NOT NULL THEN FALSE
    END"""


def said(attribute: Attribute) -> dict[str, str]:
    """SQL for the text of each of :data:`NAMES` and of ``cache_write_1h``."""
    texts = {role: [f"nullif({attribute(name)}, '')" for name in names] for role, names in NAMES.items()}
    # Vercel's AI SDK keeps Anthropic's own counts as JSON text, before version 6 its only word of the cache.
    anthropic = f"""CASE WHEN {attribute(_PROVIDER_METADATA)} IS NOT NULL
        THEN TRY(json_extract_string({attribute(_PROVIDER_METADATA)}, '$.anthropic.{{}}')) END"""
    texts["cache_read"].append(anthropic.format("usage.cache_read_input_tokens"))
    texts["cache_write"].append(anthropic.format("usage.cache_creation_input_tokens"))
    texts["cache_write"].append(anthropic.format("cacheCreationInputTokens"))
    texts["cache_write_1h"] = [anthropic.format("usage.cache_creation.ephemeral_1h_input_tokens")]
    texts["uncached"].append(anthropic.format("usage.input_tokens"))
    return {role: f"coalesce({', '.join(each)})" for role, each in texts.items()}


_PROVIDERS: dict[str, tuple[str, ...]] = {
    "aws": ("bedrock", "amazon-bedrock", "amazon_bedrock", "aws_bedrock"),
    "azure": ("az", "azure-openai", "azure_openai", "azureopenai", "azure_ai"),
    "fireworks": ("fireworks_ai", "fireworksai"),
    "google": (
        "gcp", "gemini", "vertex", "vertexai", "vertex_ai", "google_genai", "google-gla", "google-vertex",
        "google_vertexai",
    ),
    "mistral": ("mistral_ai", "mistralai"),
    "moonshotai": ("moonshot", "moonshot_ai"),
    "together": ("together_ai", "togetherai"),
    "x-ai": ("xai", "x_ai"),
}  # fmt: skip
"""The price book's providers by the first part of other names of theirs."""

_NO_PROVIDERS = (
    "other", "custom", "unknown", "_other", "gateway", "langchain", "llamaindex", "llama_index", "crewai",
    "litellm",
)  # fmt: skip
"""Frameworks and gateways: whose model it is, its name says."""


def provider(vendor: str) -> str:
    """SQL for the provider's name, of a text such as ``gcp.vertex_ai``, ``openai.responses``, ``OpenAI``."""
    first = f"lower(split_part({vendor}, '.', 1))"
    known = " ".join(
        f"WHEN {first} IN ({_listed(names)}) THEN '{ours}'" for ours, names in _PROVIDERS.items()
    )
    return (
        f"CASE WHEN {first} IN ('openai', 'anthropic') THEN {first} {known} "
        f"WHEN {first} IN ({_listed(_NO_PROVIDERS)}) THEN NULL ELSE {first} END"
    )

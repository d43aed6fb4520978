"""costctl: exact LLM costs from the usage data you already have."""

__version__ = "0.1.0"

"""How fast costctl is, beside the least that the same work can take: ``python -m benchmarks``."""

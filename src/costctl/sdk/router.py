"""Choosing a model at call time, and counting what was chosen."""

from __future__ import annotations

import os
from collections import Counter

from costctl.routing import DEFAULT, Choice, Complexity, Length, Number, Policy, read
from costctl.sdk.forks import Lock

__all__ = ["Complexity", "ModelRouter"]


class ModelRouter:
    """Chooses models by a policy: a :class:`costctl.routing.Policy`, or the path of a policy.yaml; by default
    the book's. May be used by many threads.

    Raises :class:`costctl.documents.DocumentError` for faults in the file.
    """

    def __init__(self, policy: Policy | str | os.PathLike[str] = DEFAULT) -> None:
        self.policy = policy if isinstance(policy, Policy) else read(policy)
        self._usage: Counter[str] = Counter()
        self._counting = Lock()

    def select_model(
        self,
        task_complexity: Complexity | str,
        max_cost: Number | None = None,
        max_latency_ms: Number | None = None,
        quality_priority: Number = 0.5,
    ) -> str:
        """The name of the model for a task, by :meth:`costctl.routing.Policy.choose`."""
        return self.choose(task_complexity, max_cost, max_latency_ms, quality_priority).model

    def auto_select(self, prompt: str, expected_output_length: Length = "medium") -> str:
        """The name of the model for a prompt, by :meth:`costctl.routing.Policy.choose_for`."""
        return self.choose_for(prompt, expected_output_length).model

    def choose(
        self,
        task_complexity: Complexity | str,
        max_cost: Number | None = None,
        max_latency_ms: Number | None = None,
        quality_priority: Number = 0.5,
    ) -> Choice:
        """As :meth:`select_model`, with the reasons: ``choose(…).explain()``."""
        complexity = Complexity.of(task_complexity)
        return self._counted(self.policy.choose(complexity, max_cost, max_latency_ms, quality_priority))

    def choose_for(self, prompt: str, expected_output_length: Length = "medium") -> Choice:
        """As :meth:`auto_select`, with the reasons."""
        return self._counted(self.policy.choose_for(prompt, expected_output_length))

    @property
    def usage(self) -> dict[str, int]:
        """How often each model of the policy was chosen, by whatever way."""
        with self._counting:
            return {profile.model: self._usage[profile.model] for profile in self.policy.models}

    def _counted(self, choice: Choice) -> Choice:
        with self._counting:
            self._usage[choice.model] += 1
        return choice

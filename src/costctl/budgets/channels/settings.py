"""A channel's settings as text, secrets revealed: only where they are sent."""

from __future__ import annotations

from collections.abc import Mapping

from costctl.documents import Secret


class Settings:
    """The keys of a channel in budgets.yaml. Not shown by anything that shows objects."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, key: str) -> str:
        """The text of ``key``; empty where it is not set."""
        value = self._values.get(key)
        return "" if value is None else _revealed(value)

    def texts(self, key: str) -> dict[str, str]:
        """The map of texts of ``key``."""
        values = self._values.get(key) or {}
        assert isinstance(values, Mapping)
        return {name: _revealed(value) for name, value in values.items()}

    def list(self, key: str) -> list[str]:
        """The list of ``key``; a single text is a list of one."""
        values = self._values.get(key) or []
        return [_revealed(each) for each in (values if isinstance(values, list | tuple) else [values])]


def _revealed(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)

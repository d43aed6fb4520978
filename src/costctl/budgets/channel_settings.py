"""The channels of a budgets.yaml: what its schema cannot say, and which settings are secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from costctl.budgets.addresses import fault, is_here
from costctl.budgets.model import ChannelSettings
from costctl.documents import Document, DocumentError, Secret

_SCHEMES = {"email": ("smtp", "smtps")}
_WEB = ("http", "https")
_ADDRESS_IS_KEY = frozenset({"slack", "teams", "dingtalk"})
"""Whoever knows the address of such a channel can write to it."""

_KEY = re.compile(r"auth|key|pass|secret|sig|token", re.IGNORECASE)
_Fault = tuple[tuple[str, ...], str, str]
"""Where it is, what it is, and the way out."""

_HINT = "write ${NAME} and set NAME, or ${file:/run/secrets/name}"
_MAIL_HINT = "as in smtp://mail.example:587; username and password are keys of their own"
_WEB_HINT = "as in https://alerts.example/costctl, without a user; a webhook can have headers"


def channels_of(
    document: Document, errors: list[DocumentError], *, resolved: bool = True
) -> dict[str, ChannelSettings]:
    """The channels by name. Every address, header and variable becomes a :class:`Secret`, whatever is in it.

    Faults are appended to ``errors``: of an address (where ``${NAME}`` is ``resolved``), of a secret that
    stands in the file itself, of a fallback that is no other channel.
    """
    found: dict[str, ChannelSettings] = {}
    every = document.data.get("channels", {})
    for name, values in every.items():
        place = ("channels", name)
        faults = [*_faults(document, place, values, resolved), *_fallback(place, values, every)]
        for path, message, hint in faults:
            errors.append(document.error(path, message, hint))
        settings = {key: _hidden(key, value) for key, value in values.items() if key != "type"}
        found[name] = ChannelSettings(name, values["type"], settings, document.line(*place))
    return found


def _fallback(place: tuple[str, str], values: Mapping[str, Any], every: Collection[str]) -> list[_Fault]:
    fallback = values.get("fallback")
    where = (*place, "fallback")
    if fallback is None or (fallback in every and fallback != place[1]):
        return []
    if fallback == place[1]:
        return [(where, f"{'.'.join(where)} is the channel itself", "name another one, or leave it out")]
    near = difflib.get_close_matches(fallback, every, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(every)}"
    return [(where, f"{'.'.join(where)}: there is no channel {fallback!r}", hint)]


def _faults(
    document: Document, place: tuple[str, str], values: Mapping[str, Any], resolved: bool
) -> list[_Fault]:
    faults: list[_Fault] = []
    kind, url = values["type"], values.get("url")
    where = f"channels.{place[1]}"
    if isinstance(url, str):
        literal = _is_literal(document, *place, "url")
        if (resolved or literal) and (wrong := fault(url, _SCHEMES.get(kind, _WEB))):
            faults.append(
                ((*place, "url"), f"{where}: {wrong}", _MAIL_HINT if kind == "email" else _WEB_HINT)
            )
        elif literal and _holds_a_key(kind, url):
            message = f"{where}.url holds a key, so it must come from the environment or a file of its own"
            faults.append(((*place, "url"), message, _HINT))
    for key in ("headers", "environment"):
        for each in values.get(key, {}):
            if _KEY.search(each) and _is_literal(document, *place, key, each):
                message = f"{where}.{key}.{each} must come from the environment or a file of its own"
                faults.append(((*place, key, each), message, _HINT))
    if kind == "email" and ("password" in values) != ("username" in values):
        faults.append((place, f"{where}: a username and a password go together", "give both, or neither"))
    return faults


def _holds_a_key(kind: str, url: str) -> bool:
    if kind in _ADDRESS_IS_KEY:
        return not is_here(url)
    return any(_KEY.search(name) for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _is_literal(document: Document, *path: str) -> bool:
    """Whether the text at ``path`` stands in the file as it is."""
    node = document.root
    for step in path:
        assert node.entries is not None
        node = node.entries[step][1]
    return "${" not in node.text


def _hidden(key: str, value: Any) -> Any:
    if key == "url" and isinstance(value, str):
        return Secret(value)
    if key in ("headers", "environment"):
        return {name: Secret(text) for name, text in value.items()}
    return value

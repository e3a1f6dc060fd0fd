"""What of a request may stand in the audit log: who claims to ask, and facts that are harmless and short. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from airgate.access.credentials import Login, looks_like_token, parse
from airgate.model.audit import Outcome

_LONGEST: Final = 250
_MOST_ITEMS: Final = 10
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


REFUSALS: Final = frozenset({401, 403, 429})
"""Statuses of requests that are refused, whoever answers them."""


def outcome(status: int) -> Outcome:
    """What became of a request, by the status of its answer."""
    if status in REFUSALS:
        return Outcome.REFUSED
    return Outcome.DONE if status < 400 else Outcome.FAILED


def writes(method: str, event: str | None, permission: str | None) -> bool:
    """Whether an operation changes something: by its method, unless it needs no more than leave to read.

    An operation that names an event is one to be told of, whatever its method.
    """
    return event is not None or (method not in _SAFE_METHODS and not (permission or "").endswith(".read"))


def word(method: str, path: str) -> str:
    """The event of an operation that names none: method and path, without placeholders."""
    segments = [part for part in path.strip("/").split("/") if part and part != "~" and not part.startswith("{")]
    return "_".join([method.lower(), *segments])


def claimed(authorization: str | None) -> str | None:
    """The name that an unknown caller gave with a password. Whatever may be a key given as a name stays untold."""
    credential = parse(authorization)
    if not isinstance(credential, Login) or not credential.password or looks_like_token(credential.name):
        return None
    return short(credential.name)


def short(text: str) -> str:
    """A text that every database takes, and that cannot fill one."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return cut.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def fact(value: Any) -> Any:
    """A value as it may be kept: plain and short; of a list the first few; of anything else nothing."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else short(str(value))
    if isinstance(value, str):
        return short(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [fact(item) for item in value[:_MOST_ITEMS] if not isinstance(item, list | tuple | dict)]
    return None


def picked(names: Iterable[str], *sources: Any) -> dict[str, Any]:
    """The named fields of bodies and queries, in whichever form those came, where they are given."""
    found: dict[str, Any] = {}
    for name in names:
        for source in sources:
            value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
            if value is not None:
                found[name] = fact(value)
                break
    return found

"""What one attempt came to, whatever kind of target it went to, and what may be shown of it. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec

from airgate.orchestration.requests import MASK, Masker, Rendered

_SHOWN_BODY: Final = 4096
_LONGEST_ERROR: Final = 500
_HIDDEN: Final = ("authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature")
"""Headers whose names hold one of these words are not shown, whatever they say."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt came to.

    `sent` False: nothing left, as it could not be rendered or may not go there. `final`: trying again would change
    nothing. `gone`: the target said so (410).
    """

    sent: bool
    arrived: bool
    final: bool = False
    gone: bool = False
    status: int | None = None
    error: str | None = None
    latency: float = 0.0
    retry_after: timedelta | None = None
    request: Rendered | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes = b""

    def __repr__(self) -> str:
        return f"Outcome(sent={self.sent}, arrived={self.arrived}, status={self.status})"


def stopped(reason: str) -> Outcome:
    """Nothing was sent, and never will be."""
    return Outcome(sent=False, arrived=False, final=True, error=reason)


def masked(outcome: Outcome, mask: Masker) -> Outcome:
    """The outcome with an error that may be kept and shown: one line, not long, and without secrets."""
    if outcome.error is None:
        return outcome
    words = " ".join(mask(outcome.error).replace("\0", " ").split())
    return msgspec.structs.replace(outcome, error=words[:_LONGEST_ERROR])


def shown(outcome: Outcome, mask: Masker) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and response as they may be kept and shown: cut, and without secrets."""
    request: dict[str, Any] = {}
    if outcome.request is not None:
        request = {
            "method": outcome.request.method,
            "url": mask(outcome.request.url),
            "headers": _headers(outcome.request.headers, mask),
            "body": _body(outcome.request.body, mask),
        }
    response: dict[str, Any] = {}
    if outcome.status is not None:
        mask = _and_of(outcome.request, mask)
        response = {
            "status": outcome.status,
            "headers": _headers(outcome.response_headers, mask),
            "body": _body(outcome.response_body, mask),
        }
    return request, response


def _and_of(request: Rendered | None, mask: Masker) -> Masker:
    """What hides, besides secrets, the values of hidden headers: a target may give back what it was sent."""
    hidden = {} if request is None else {name: value for name, value in request.headers if _is_hidden(name)}
    return mask.more(hidden) if hidden else mask


def _is_hidden(name: str) -> bool:
    return any(word in name.lower() for word in _HIDDEN)


def _headers(headers: tuple[tuple[str, str], ...], mask: Masker) -> dict[str, str]:
    return {name: MASK if _is_hidden(name) else mask(value) for name, value in headers}


def _body(body: bytes, mask: Masker) -> str:
    text = mask(body.decode("utf-8", "replace"))
    return text if len(text) <= _SHOWN_BODY else text[:_SHOWN_BODY] + "…"

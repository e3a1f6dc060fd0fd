"""What one attempt came to, whatever kind of target it went to, and what may be shown of it. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import msgspec

from airgate.orchestration.requests import MASK, Masker, Rendered

_SHOWN_BODY: Final = 4096
_HIDDEN: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})


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


def stopped(reason: str) -> Outcome:
    """Nothing was sent, and never will be."""
    return Outcome(sent=False, arrived=False, final=True, error=reason)


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
        response = {
            "status": outcome.status,
            "headers": _headers(outcome.response_headers, mask),
            "body": _body(outcome.response_body, mask),
        }
    return request, response


def _headers(headers: tuple[tuple[str, str], ...], mask: Masker) -> dict[str, str]:
    return {name: MASK if name.lower() in _HIDDEN else mask(value) for name, value in headers}


def _body(body: bytes, mask: Masker) -> str:
    text = mask(body.decode("utf-8", "replace"))
    return text if len(text) <= _SHOWN_BODY else text[:_SHOWN_BODY] + "…"

"""From a webhook and an execution to the request that is sent, and to the one that may be shown. Pure."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from airgate.model.job import Execution
from airgate.model.webhook import Webhook
from airgate.orchestration.facts import names_of
from airgate.orchestration.templates import (
    Lookup,
    Name,
    TemplateError,
    Unresolved,
    dig,
    render_form,
    render_header,
    render_json,
    render_text,
    render_url,
)

MASK: Final = "***"
LARGEST_BODY: Final = 1024 * 1024
"""Bytes of a request's body."""
LONGEST_URL: Final = 8000

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_OURS: Final = frozenset(
    {
        "content-length",
        "host",
        "transfer-encoding",
        "connection",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)
"""Headers that are the sender's to set."""
_TOKEN_SIGNS: Final = frozenset("!#$%&'*+-.^_`|~")


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A request, complete but for the headers that each attempt has of its own."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"Rendered({self.method}, {len(self.body)} bytes)"  # it holds secrets


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What templates read. Variables and secrets by case-folded name."""

    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    execution: Execution | None = None
    count: int = 1
    """Events a delivery stands for: ``${{run.count}}``."""

    def __repr__(self) -> str:
        return f"Sources({len(self.variables)} variables, {len(self.secrets)} secrets)"


def lookup_in(sources: Sources, *, masked: bool = False) -> Lookup:
    """The values of names. `masked`: secrets are resolved, but to `MASK`."""
    names = names_of(sources.execution) if sources.execution else {"erathos": {}, "run": {}}
    names["run"] = names["run"] | {"count": sources.count}
    kinds: dict[str, Callable[[Name], Any]] = {
        "variables": lambda name: _flat(name, sources.variables),
        "secrets": lambda name: (
            MASK if _flat(name, sources.secrets) is not None and masked else _flat(name, sources.secrets)
        ),
        "erathos": lambda name: _flat(name, names["erathos"]),
        "run": lambda name: dig(name, names["run"], fold_first=True),
    }

    def look_up(name: Name) -> Any:
        known = kinds.get(name.kind)
        if known is None:
            raise Unresolved(name, f"there are {', '.join(kinds)}")
        return known(name)

    return look_up


def _flat(name: Name, values: Mapping[str, Any]) -> Any:
    key = name.path[0].casefold()
    if len(name.path) != 1 or key not in values:
        raise Unresolved(name, "there is none of that name")
    return values[key]


def render(webhook: Webhook, lookup: Lookup) -> Rendered:
    """The request of a plain webhook.

    Raises:
        TemplateError: something cannot be rendered; the message says what and where.
    """
    url = _placed("url", lambda: render_url(webhook.url, lookup))
    if len(url) > LONGEST_URL:
        raise TemplateError(f"url: it has more than {LONGEST_URL} characters")
    headers = _headers(webhook.header or {}, lookup)
    body, media_type = _body(webhook.body, _media_type(headers), lookup)
    if len(body) > LARGEST_BODY:
        raise TemplateError(f"body: it has more than {LARGEST_BODY} bytes")
    if body and media_type is not None:
        headers.append(("content-type", media_type))
    return Rendered(method=webhook.method.value, url=url, headers=tuple(headers), body=body)


def _headers(header: Mapping[str, str], lookup: Lookup) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for key, value in header.items():
        name = _placed("header", lambda key=key: render_header(key, lookup))  # type: ignore[misc]
        check_header_name(name)
        headers.append((name.lower(), _placed(f"header {name}", lambda value=value: render_header(value, lookup))))  # type: ignore[misc]
    return headers


def check_header_name(name: str) -> None:
    """Refuse what is no name of a header, or names one that is not the author's to set. Raises TemplateError."""
    if not name or not all(sign.isascii() and (sign.isalnum() or sign in _TOKEN_SIGNS) for sign in name):
        raise TemplateError(f"header: '{name}' is no name of a header")
    if name.lower() in _OURS:
        raise TemplateError(f"header: '{name}' is set by Airgate")


def _body(body: Any, media_type: str | None, lookup: Lookup) -> tuple[bytes, str | None]:
    """The body's bytes, and the media type to be added where the author named none."""
    if body is None:
        return b"", None
    if isinstance(body, str) and media_type is not None and not _is_json(media_type):
        fill = render_form if media_type == _FORM else render_text
        return _placed("body", lambda: fill(body, lookup)).encode(), None
    rendered = _placed("body", lambda: render_json(body, lookup))
    return msgspec.json.encode(rendered), None if media_type is not None else _JSON


def _media_type(headers: list[tuple[str, str]]) -> str | None:
    found = next((value for name, value in headers if name == "content-type"), None)
    return None if found is None else found.partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == _JSON or media_type.endswith("+json")


def _placed(place: str, render_it: Callable[[], Any]) -> Any:
    """Say where a template could not be rendered."""
    try:
        return render_it()
    except Unresolved as error:
        error.args = (f"{place}: {error}",)
        raise
    except TemplateError as error:
        raise TemplateError(f"{place}: {error}") from None


class Masker:
    """Blots secrets out of what may be shown: their values, and what they look like once escaped."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._values = _longest_first(form for value in secrets.values() if len(value) >= 4 for form in _forms(value))

    def more(self, literals: Mapping[str, str]) -> Masker:
        """A masker of these texts too, as they are."""
        made = Masker({})
        made._values = _longest_first((*self._values, *(value for value in literals.values() if len(value) >= 4)))
        return made

    def __call__(self, text: str) -> str:
        """The text without any secret."""
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK)
        return text


def _longest_first(values: Iterable[str]) -> list[str]:
    return sorted(set(values), key=len, reverse=True)


def _forms(value: str) -> tuple[str, ...]:
    """A secret as it stands in a header, a URL, a form, JSON (within JSON) and HTML, or in base64."""
    in_json = json.dumps(value)[1:-1]
    in_url = quote(value, safe="")
    in_latin_1 = value.encode("latin-1", "replace")
    return (
        value, in_latin_1.decode("utf-8", "replace"), value.encode().decode("latin-1"),
        in_url, in_url.lower(), quote(value), quote_plus(value), quote_plus(in_latin_1),
        msgspec.json.encode(value)[1:-1].decode(), in_json, in_json.replace("/", "\\/"), json.dumps(in_json)[1:-1],
        html.escape(value), repr(value)[1:-1], base64.b64encode(value.encode()).decode(),
        base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    )  # fmt: skip

"""Templates: ``${{kind.name}}`` in text, at any depth of JSON, in a URL and in headers. Pure.

Escaping is by place, and never the author's business: a value stays one segment of a path, one part of a query, one
line of a header, one string of JSON. Values are put in once and never read as templates themselves, so nothing can
loop or grow. A name that cannot be resolved raises `Unresolved`: nothing is ever sent with a hole in it.

``$${{`` is written where ``${{`` itself is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

import msgspec

LONGEST_TEXT: Final = 64 * 1024
"""Characters of one template text."""
MOST_NAMES: Final = 200
"""Placeholders of one webhook part (its URL, a header, its body)."""
DEEPEST: Final = 32
"""Levels of nesting of a body."""
LARGEST: Final = 1024 * 1024
"""Characters of one rendered text."""

_PLACEHOLDER: Final = re.compile(r"\$(?P<escaped>\$)?\{\{(?P<inside>.*?)\}\}", re.DOTALL)
_INSIDE: Final = re.compile(r"\s*(?P<kind>[A-Za-z]+)\.(?P<path>[^\s{}]+)\s*")
_BARE: Final = re.compile(r"(?<!\$)\{\{\s*((?:variables|secrets|erathos)\.[^\s{}]+)\s*\}\}", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+)(?::\d{1,5})?(?:/[A-Za-z0-9\-._~%!$&'()*+,;=:@/]*)?", re.ASCII
)


class Name(NamedTuple):
    """A placeholder: ``${{variables.x}}`` is kind ``variables`` and path ``("x",)``. `kind` is lower case."""

    kind: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}.{'.'.join(self.path)}"


class TemplateError(Exception):
    """A text is no template, or a value does not fit its place. The message is a sentence for the author."""


class Unresolved(TemplateError):
    """Nothing is known under a name."""

    def __init__(self, name: Name, why: str = "") -> None:
        super().__init__(f"${{{{{name}}}}} cannot be resolved{': ' + why if why else ''}")
        self.name = name


Lookup = Callable[[Name], Any]
"""The value of a name. Raises `Unresolved`."""
Parts = tuple[str | Name, ...]


@lru_cache(maxsize=4096)
def parse(text: str) -> Parts:
    """The literal pieces and the placeholders of a text, in order.

    Raises:
        TemplateError: a placeholder that is none, one that lacks its dollar sign or its end, or too much of it.
    """
    if len(text) > LONGEST_TEXT:
        raise TemplateError(f"a text of a template has at most {LONGEST_TEXT} characters; this one has {len(text)}")
    parts: list[str | Name] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        _add(parts, _literal(text[end : match.start()]))
        _add(parts, "${{" + match["inside"] + "}}" if match["escaped"] else _name(match["inside"]))
        end = match.end()
    _add(parts, _literal(text[end:]))
    if sum(isinstance(part, Name) for part in parts) > MOST_NAMES:
        raise TemplateError(f"a text has at most {MOST_NAMES} placeholders")
    return tuple(parts)


def _add(parts: list[str | Name], part: str | Name) -> None:
    if part:
        parts.append(part)


def _literal(text: str) -> str:
    bare = _BARE.search(text)
    if bare is not None:
        raise TemplateError(f"'{bare.group()}' lacks its dollar sign; write '${{{{{bare[1]}}}}}'")
    if "${{" in text:
        raise TemplateError(f"'{text[text.index('${{') :][:40]}' is not closed; a placeholder ends with '}}}}'")
    return text


def _name(inside: str) -> Name:
    match = _INSIDE.fullmatch(inside)
    path = tuple(match["path"].split(".")) if match else ()
    if match is None or not all(path):
        raise TemplateError(
            f"'${{{{{inside}}}}}' is no placeholder; write '${{{{kind.name}}}}', e.g. '${{{{erathos.status}}}}'"
        )
    return Name(match["kind"].lower(), path)


def names_of(value: Any, pointer: str = "") -> Iterator[tuple[str, Name]]:
    """Every placeholder in a JSON value, keys of objects too, with the JSON pointer to where it stands.

    Raises:
        TemplateError: as `parse`, with the place; or the value is nested too deeply.
    """
    yield from _names_of(value, pointer, 0)


def _names_of(value: Any, pointer: str, depth: int) -> Iterator[tuple[str, Name]]:
    if depth > DEEPEST:
        raise TemplateError(f"{pointer}: nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        try:
            parts = parse(value)
        except TemplateError as error:
            raise TemplateError(f"{pointer or '/'}: {error}" if pointer else str(error)) from None
        yield from ((pointer, part) for part in parts if isinstance(part, Name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _names_of(key, f"{pointer}/{key}", depth + 1)
            yield from _names_of(item, f"{pointer}/{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _names_of(item, f"{pointer}/{index}", depth + 1)


def render_json(value: Any, lookup: Lookup) -> Any:
    """A JSON value with its placeholders filled in. A placeholder alone keeps its value's type.

    Raises:
        TemplateError: a name is unresolved, two keys of an object have become one, or the result is too large.
    """
    if isinstance(value, str):
        parts = parse(value)
        if len(parts) == 1 and isinstance(parts[0], Name):
            return plain(lookup(parts[0]))
        return _joined(parts, lambda name: text_of(name, lookup(name)))
    if isinstance(value, dict):
        rendered = {_key(key, lookup): render_json(item, lookup) for key, item in value.items()}
        if len(rendered) < len(value):
            raise TemplateError("two keys of an object are the same once their placeholders are filled in")
        return rendered
    if isinstance(value, list | tuple):
        return [render_json(item, lookup) for item in value]
    return value


def _key(key: str, lookup: Lookup) -> str:
    return _joined(parse(key), lambda name: text_of(name, lookup(name)))


def render_text(text: str, lookup: Lookup) -> str:
    """A text with its placeholders filled in as they are, for places without a syntax of their own. Raises as above."""
    return _joined(parse(text), lambda name: text_of(name, lookup(name)))


def render_form(text: str, lookup: Lookup) -> str:
    """A text of the form ``a=1&b=2``; each value stays one part of it. Raises as above."""
    return _joined(parse(text), lambda name: quote(text_of(name, lookup(name)), safe=""))


def render_header(text: str, lookup: Lookup) -> str:
    """The value of a header: one line, Latin-1. Raises TemplateError where a value cannot be in it."""
    rendered = _joined(parse(text), lambda name: text_of(name, lookup(name))).strip()
    if _CONTROL.search(rendered):
        raise TemplateError("a header's value is one line without control characters")
    try:
        rendered.encode("latin-1")
    except UnicodeEncodeError:
        raise TemplateError("a header's value consists of Latin-1 characters") from None
    return rendered


def render_url(text: str, lookup: Lookup) -> str:
    """A URL. What comes before the path may hold host, port and the beginning of a path; every other value is escaped.

    Raises:
        TemplateError: a name is unresolved, or a value would change what the URL is beyond its own place.
    """
    url = ""
    for part in parse(text):
        url += part if isinstance(part, str) else _in_url(url, part, lookup)
        if len(url) > LARGEST:
            raise TemplateError("the URL is too long")
    return url


def _in_url(before: str, name: Name, lookup: Lookup) -> str:
    value = text_of(name, lookup(name))
    if not value:
        raise Unresolved(name, "it is empty, and a URL has no place for that")
    if not before:
        return _base(name, value)
    _, separator, rest = before.partition("://")
    if separator and not any(sign in rest for sign in "/?#"):
        return _authority(name, value)
    if "?" not in before and value in (".", ".."):
        raise TemplateError(f"the value of {name} is {value!r}, which would lead out of the URL's path")
    return quote(value, safe="")


def _base(name: Name, value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise TemplateError(f"{name} begins the URL, so its value has to begin with https:// or http://")
    return f"{scheme}://{_authority(name, rest)}"


def _authority(name: Name, value: str) -> str:
    if "://" in value:
        raise TemplateError(f"the value of {name} begins with a scheme, and so does the URL; leave one of them out")
    if not _AUTHORITY.fullmatch(value) or "/../" in f"{value}/":
        raise TemplateError(f"the value of {name} stands for a host, but holds signs that no host has")
    return value


def dig(name: Name, value: Any, *, fold_first: bool = False) -> Any:
    """Follow a name's path into JSON; numbers count list items. `fold_first`: the case of the first step is no matter.

    Raises:
        Unresolved: there is no such step.
    """
    for depth, step in enumerate(name.path):
        if isinstance(value, Mapping) and (key := step.lower() if fold_first and depth == 0 else step) in value:
            value = value[key]
        elif isinstance(value, list | tuple) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            raise Unresolved(name, f"there is no '{step}'")
    return value


def _joined(parts: Parts, fill: Callable[[Name], str]) -> str:
    text = "".join(part if isinstance(part, str) else fill(part) for part in parts)
    if len(text) > LARGEST:
        raise TemplateError(f"a rendered text has at most {LARGEST} characters")
    return text


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case UUID() | date() | time():
            return text_of(None, value)
        case _:
            return value


def text_of(name: Name | None, value: Any) -> str:
    """A value inside a text. One that is absent (None) is no text: raises Unresolved."""
    match value:
        case str():
            return value
        case None if name is not None:
            raise Unresolved(name, "it has no value here")
        case bool():
            return "true" if value else "false"
        case int() | float() | UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case _:
            return msgspec.json.encode(value).decode()

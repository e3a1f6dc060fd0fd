"""Reading requests: who asks for what workspace, JSON as people really write it, and lists in pages with numbers."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from airgate.access.decisions import Place, may
from airgate.http.dates import rfc3339, with_offset
from airgate.http.erathos.problems import Refused, wrong
from airgate.http.json_input import BadJson, read_json
from airgate.http.operations import Call, Check
from airgate.http.params import parse
from airgate.model.errors import NotFound, PermissionDenied
from airgate.model.identity import ScopeKind
from airgate.model.query import Listing, Order, Page, Span
from airgate.model.workspace import Workspace
from airgate.orchestration.service import Orchestration

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

PAGE_SIZE: Final = 50
LARGEST_PAGE: Final = 500
_MOST_PAGES: Final = 100_000

_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]+)`")
_AT: Final = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_SLIPS: Final = {
    "erathos_variable": "This field is named variable_name.",
    "headers": "This field is named header.",
    "active": "This field is named is_active.",
    "variable": "This field is named variable_name.",
}


def rooms(call: Call) -> Orchestration:
    """The room that the handlers of this dialect speak to."""
    found = call.services.orchestration
    if found is None:
        raise NotFound("This server has no workspaces.", code="no_orchestration")
    return found


async def _authorize(call: Call) -> None:
    """Find the workspace that the path names, if the caller may do this in it.

    Whoever may not cannot tell it from one that does not exist, unless their scope is everything.
    """
    caller, permission = call.caller, call.operation.permission
    assert caller is not None
    assert permission is not None
    if "workspace_id" not in call.params:
        if permission not in caller.permissions or caller.identity.limits.dags is not None:
            raise _forbidden()
        return
    key = _uuid(call.params["workspace_id"])
    found = None
    if key is not None:
        with suppress(NotFound):
            found = await rooms(call).workspaces.get(key)
    if not may(caller, permission, Place("", "" if found is None else found.name)):
        raise _forbidden()
    if found is None:
        raise NotFound("Not found.", code="workspace_not_found")
    call.found = found


AUTHORIZED: Final = Check(_authorize, lambda operation: operation.permission is not None)


def _forbidden() -> PermissionDenied:
    return PermissionDenied("You do not have permission to perform this action.")


def for_everything(call: Call) -> None:
    """Raise PermissionDenied for callers whose scope ends somewhere."""
    assert call.caller is not None
    if call.caller.identity.scope.kind is not ScopeKind.EVERYTHING:
        raise PermissionDenied("This concerns the whole server, which the scope of this identity does not cover.")


def workspace_of(call: Call) -> Workspace:
    """The workspace of the path, in which the caller may do this."""
    found: Workspace = call.found
    return found


def id_of(call: Call, name: str) -> UUID:
    """An id of the path. Raises NotFound for a text that is none."""
    found = _uuid(call.params[name])
    if found is None:
        raise NotFound("Not found.")
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------------------- bodies


def _read_body(call: Call) -> None:
    raw = call.raw_body
    media_type = (call.header(b"content-type") or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Refused(415, {"detail": f'Unsupported media type "{media_type}" in request. Send application/json.'})
    try:
        value = read_json(raw or b"{}")
    except BadJson as error:
        value = _forgiven(raw, error)
    if not isinstance(value, dict):
        raise wrong([("/", f"Invalid data. Expected an object, but got {_kind(value)}.")])
    call.body = value


BODY: Final = Check(_read_body, lambda operation: operation.body is not None)


def _forgiven(raw: bytes, error: BadJson) -> Any:
    """JSON with a comma after the last item of a list or object, as documentation likes to print it."""
    try:
        text = raw.decode()
        cleaned = without_trailing_commas(text)
        if cleaned != text:
            return read_json(cleaned.encode())
        json.loads(text)
    except json.JSONDecodeError as where:
        place = f"{where.msg}: line {where.lineno} column {where.colno}"
        raise Refused(400, {"detail": f"JSON parse error - {place}{_hint(raw)}"}) from None
    except (BadJson, ValueError, RecursionError):
        pass  # the first reader has said it better
    raise Refused(400, {"detail": f"JSON parse error - {error}"}) from None


def _hint(raw: bytes) -> str:
    if b"..." in raw:
        return ". The three dots of an example stand for something; write it out."
    if b"'" in raw:
        return ". Texts in JSON stand in double quotes."
    return ". Is a comma missing between two fields?"


_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|,(?=\s*[\]}])', re.DOTALL)


def without_trailing_commas(text: str) -> str:
    """The text without commas that end a list or an object; what stands in quotes stays as it is."""
    return _TOKEN.sub(lambda match: "" if match.group() == "," else match.group(), text)


def read(call: Call, struct: type[S], *required: str) -> S:
    """The body as a Struct of optional fields. Fields of answers, which begin with ``_``, are passed over.

    Raises:
        Refused: fields are missing, unknown or not of their type: all of them are named.
    """
    return read_fields(call.body, struct, *required)


def read_fields(body: Mapping[str, Any], struct: type[S], *required: str) -> S:
    """An object as a Struct, as `read`."""
    sent = {name: value for name, value in body.items() if not name.startswith("_") and name not in _READ_ONLY}
    faults = [(f"/{name}", "This field is required.") for name in required if name not in sent]
    types = _types(struct)
    values = {}
    for name, value in sent.items():
        if name not in types:
            faults.append((f"/{_escaped(name)}", _SLIPS.get(name, "This field is not known here.")))
            continue
        values[name] = _converted(value, types[name], _escaped(name), faults)
    if faults:
        raise wrong(faults)
    return struct(**values)


def _converted(value: Any, kind: Any, pointer: str, faults: list[tuple[str, str]]) -> Any:
    """A value of this type. Items of lists are looked at one by one, so that each fault has its place."""
    item = next((get_args(one)[0] for one in (kind, *get_args(kind)) if get_origin(one) is tuple), None)
    if item is not None and isinstance(value, list):
        return tuple(_converted(each, item, f"{pointer}/{index}", faults) for index, each in enumerate(value))
    try:
        found = msgspec.convert(value, kind)
        return found.astimezone(UTC) if isinstance(found, datetime) else found
    except msgspec.ValidationError as error:
        faults.append(_fault(pointer, str(error)))
    except OverflowError:
        faults.append((f"/{pointer}", "This date cannot be said in UTC."))
    return None


@functools.cache
def _types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(struct, include_extras=True)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


_READ_ONLY: Final = frozenset({"created_by", "disabled_reason", "failing_since", "last_used_at", "kind", "path"})
"""Fields of answers that requests may send back, and that change nothing."""


def _fault(name: str, message: str) -> tuple[str, str]:
    place = _AT.search(message)
    words = message[: place.start()] if place else message
    path = "" if place is None else re.sub(r"\[\.\.\.\]|\.", "/", place["path"]).rstrip("/")
    pointer = f"/{name}{path}"
    missing, unknown = _MISSING.fullmatch(words), _UNKNOWN.fullmatch(words)
    if missing is not None:
        return f"{pointer}/{missing['field']}", "This field is required."
    if unknown is not None:
        field = unknown["field"]
        return f"{pointer}/{_escaped(field)}", _SLIPS.get(field, "This field is not known here.")
    return pointer, f"{words}."


def _kind(value: Any) -> str:
    kinds = ((dict, "an object"), (list, "a list"), (str, "a text"), (bool, "a boolean"), (int | float, "a number"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


# -------------------------------------------------------------------------------------------------------------- lists


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for."""

    page: int
    page_size: int
    ordering: str | None
    filters: Mapping[str, str]

    @property
    def window(self) -> Page:
        """The window on the list."""
        return Page(self.page_size, (self.page - 1) * self.page_size)

    def order(self, sortable: Mapping[str, str], default: str) -> Order:
        """The order, in the store's words. Raises Refused for a field that cannot be sorted by."""
        word = self.ordering or default
        name = word.removeprefix("-")
        if name not in sortable:
            raise wrong([("/ordering", f"'{name}' is not among the fields to order by: {', '.join(sortable)}.")])
        return Order(sortable[name], descending=word.startswith("-"))


def asked(call: Call, *filters: str) -> Asked:
    """The query of a list with these filters. Raises Refused for parameters that are unknown or wrong."""
    query = {name: texts[-1] for name, texts in parse(call.raw_query).items()}
    faults = [
        (f"/{name}", f"There is no such parameter; there are page, page_size, ordering{', '.join(('', *filters))}.")
        for name in query
        if name not in {"page", "page_size", "ordering", *filters}
    ]
    faults += [(f"/{name}", "NUL characters are not allowed.") for name, text in query.items() if "\0" in text]
    if faults:
        raise wrong(faults)
    return Asked(
        page=_number(query, "page", 1, _MOST_PAGES),
        page_size=_number(query, "page_size", PAGE_SIZE, LARGEST_PAGE),
        ordering=query.get("ordering") or None,
        filters={name: query[name] for name in filters if query.get(name)},
    )


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text[:9]) < 1:
        raise wrong([(f"/{name}", "A valid integer above 0 is required.")])
    return min(int(text[:9]), most)


def boolean(asked: Asked, name: str) -> bool | None:
    """A filter that is true or false. Raises Refused for any other text."""
    text = asked.filters.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise wrong([(f"/{name}", "Must be true or false.")])
    return text.lower() == "true"


def uuid(asked: Asked, name: str) -> UUID | None:
    """A filter that is an id. Raises Refused for any other text."""
    text = asked.filters.get(name)
    if text is None:
        return None
    found = _uuid(text)
    if found is None:
        raise wrong([(f"/{name}", "Must be a valid UUID.")])
    return found


def envelope(listing: Listing[Any], asked: Asked, results: list[dict[str, Any]]) -> dict[str, Any]:
    """One page of a list, as this API wraps it."""
    pages = max(1, -(-listing.total // asked.page_size))
    if asked.page > pages:
        raise NotFound("Invalid page.", code="page_not_found")
    return {
        "count": listing.total,
        "next_page": asked.page + 1 if asked.page < pages else None,
        "previous_page": asked.page - 1 if asked.page > 1 else None,
        "page_size": asked.page_size,
        "total_pages": pages,
        "current_page": asked.page,
        "results": results,
    }


def sorted_page(items: Iterable[T], asked: Asked, keys: Mapping[str, Callable[[T], Any]], default: str) -> Listing[T]:
    """One page of items that are all at hand, in the order that is asked for. Raises Refused."""
    order = asked.order({name: name for name in keys}, default)
    key = keys[order.field]
    found = sorted(items, key=lambda item: (key(item) is not None, key(item)), reverse=order.descending)
    window = asked.window
    return Listing(tuple(found[window.offset : window.offset + window.limit]), len(found))


def moment(asked: Asked, name: str) -> datetime | None:
    """A filter that is a date, UTC where it has no offset. Raises Refused for any other text."""
    text = asked.filters.get(name)
    if text is None:
        return None
    found = rfc3339(with_offset(text.replace(" ", "+")))
    if found is None:
        raise wrong([(f"/{name}", "Must be a date such as 2026-11-21T08:30:00Z.")])
    return found


def span(asked: Asked, field: str) -> Span:
    """The filters ``FIELD_gte`` and ``FIELD_lte``. Raises Refused."""
    return Span(moment(asked, f"{field}_gte"), moment(asked, f"{field}_lte"))

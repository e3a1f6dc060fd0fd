"""Request bodies of the v1 dialect, as tables.

Airflow looks at a body twice, and the two have their own words: first the OpenAPI schema (types, enumerations,
read-only properties), before anybody is authenticated; later, when what is named is known to exist, the form itself
(unknown fields, nulls, lengths, missing fields). `Form.check` is the first, `Form.load` the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from airgate.http.dates import rfc3339, with_offset
from airgate.http.stable_v1.problems import Problem, bad_request

_INT32: Final = 2**31

Verdict = str | None
"""What is wrong with a value, or None."""


def _is_string(value: Any) -> Verdict:
    return None if isinstance(value, str) else f"{value!r} is not of type 'string'"


def _is_integer(value: Any) -> Verdict:
    return None if type(value) is int else f"{value!r} is not of type 'integer'"


def _is_number(value: Any) -> Verdict:
    return None if type(value) in (int, float) else f"{value!r} is not of type 'number'"


def _is_boolean(value: Any) -> Verdict:
    return None if isinstance(value, bool) else f"{value!r} is not of type 'boolean'"


def _is_object(value: Any) -> Verdict:
    return None if isinstance(value, dict) else f"{value!r} is not of type 'object'"


def _is_list(value: Any) -> Verdict:
    return None if isinstance(value, list) else f"{value!r} is not of type 'array'"


def _is_instant(value: Any) -> Verdict:
    return _is_string(value) or (None if rfc3339(value) else f"{value!r} is not a 'date-time'")


def _is_lenient_instant(value: Any) -> Verdict:
    return _is_string(value) or (None if rfc3339(with_offset(value)) else f"{value!r} is not a 'date-time'")


def _is_sound(_: Any) -> tuple[str, str] | None:
    return None


_TYPES: Final[Mapping[str, Callable[[Any], Verdict]]] = {
    "string": _is_string,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": _is_boolean,
    "object": _is_object,
    "array": _is_list,
    "date-time": _is_instant,
    "date-time or naive": _is_lenient_instant,
    "datetime": _is_string,  # v1 writes both; only the first is a format its schema checks
}


class Field(NamedTuple):
    """One property of a body.

    Args:
        name: its key.
        kind: a word of `_TYPES`.
        nullable: null passes the schema.
        none: null passes the form too.
        read_only: refused whatever its value.
        demanded: missing is refused by the schema.
        required: missing is refused by the form.
        choices: the values the schema allows.
        minimum: the least the schema allows.
        longest: most characters the form allows.
        nonempty: an empty array is refused.
        items: check of an array's items.
        inside: check of what is in an item that passed; says what is wrong, and where in the item.
    """

    name: str
    kind: str
    nullable: bool = False
    none: bool = False
    read_only: bool = False
    demanded: bool = False
    required: bool = False
    choices: tuple[Any, ...] | None = None
    minimum: int | None = None
    longest: int | None = None
    nonempty: bool = False
    secret: bool = False
    """What was sent is not repeated, however wrong it is."""
    items: Callable[[Any], Verdict] = _is_string
    inside: Callable[[Any], tuple[str, str] | None] = _is_sound

    def wrong(self, value: Any) -> Verdict:
        """What the schema says of a value."""
        if self.read_only:
            return "Property is read-only"
        if value is None and self.nullable:
            return None
        verdict = _TYPES[self.kind](value)
        if verdict is not None:
            return f"'***' is not of type '{self.kind}'" if self.secret else verdict
        if self.choices is not None and value not in self.choices:
            return f"{value!r} is not one of {list(self.choices)!r}"
        if self.minimum is not None and value < self.minimum:
            return f"{value!r} is less than the minimum of {self.minimum}"
        return f"{value!r} should be non-empty" if self.nonempty and not value else None


class Form:
    """A body's properties, in the order in which the dialect looks at them."""

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self._names = frozenset(field.name for field in fields)

    def check(self, body: dict[str, Any]) -> None:
        """The schema's look. Raises the problem of the first property that is wrong."""
        for field in self.fields:
            name = field.name
            if name not in body:
                if field.demanded:
                    raise bad_request(f"{name!r} is a required property")
                continue
            value = body[name]
            verdict = field.wrong(value)
            if verdict is not None:
                raise bad_request(f"{verdict} - '{name}'")
            if field.kind == "array" and value is not None:
                _check_items(field, value)

    def load(self, body: dict[str, Any], *, title: str = "Bad Request", partial: bool = False) -> dict[str, Any]:
        """The form's look: the given fields, dates as instants. Raises one problem that names all that is wrong.

        `partial`: a missing required field is no error.
        """
        errors: dict[str, list[str]] = {}
        loaded: dict[str, Any] = {}
        for field in self.fields:
            name = field.name
            if name in body:
                value, error = _loaded(field, body[name])
                if error is None:
                    loaded[name] = value
                else:
                    errors[name] = [error]
            elif field.required and not partial:
                errors[name] = ["Missing data for required field."]
        for name in body:
            if name not in self._names:
                errors[name] = ["Unknown field."]
        if errors:
            raise bad_request(str(errors), title)
        return loaded


def need(loaded: dict[str, Any], name: str) -> Any:
    """A field of a loaded form that Airflow forgets to ask for, and then cannot do without."""
    if name not in loaded:
        raise bad_request(str({name: ["Missing data for required field."]}))
    return loaded[name]


def schema_problem(message: str) -> Problem:
    """The form as a whole makes no sense."""
    return bad_request(str({"_schema": [message]}))


def _check_items(field: Field, values: list[Any]) -> None:
    for index, item in enumerate(values):
        verdict = field.items(item)
        if verdict is not None:
            raise bad_request(f"{verdict} - '{field.name}.{index}'")
        within = field.inside(item)
        if within is not None:
            raise bad_request(f"{within[0]} - '{field.name}.{index}.{within[1]}'")


def _loaded(field: Field, value: Any) -> tuple[Any, str | None]:
    if value is None:
        return None, None if field.none else "Field may not be null."
    if field.kind in ("date-time", "datetime"):
        return _instant(value)
    if isinstance(value, str):
        return value, _text_error(field, value)
    if type(value) is int and not -_INT32 <= value < _INT32:
        return None, "Not a valid integer."
    if field.kind == "array" and any(isinstance(item, str) and "\0" in item for item in value):
        return None, "NUL characters are not allowed."
    return value, None


def _text_error(field: Field, value: str) -> str | None:
    if field.longest is not None and len(value) > field.longest:
        return f"Longer than maximum length {field.longest}."
    return "NUL characters are not allowed." if "\0" in value else None


def _instant(text: str) -> tuple[datetime | None, str | None]:
    moment = rfc3339(text)
    if moment is not None:
        return moment, None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, "Not a valid datetime."
    if moment.tzinfo is None:
        raise bad_request("Naive datetime is disallowed", "Invalid datetime format")
    return moment, None

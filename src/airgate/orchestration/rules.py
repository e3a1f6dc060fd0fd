"""Rules: typed conditions on the facts of an execution. Pure.

A webhook's rules are checked once, when it is made, and compiled once, into one function; evaluating them costs a
dictionary look-up and a comparison each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, time
from functools import partial
from typing import Any, Final
from uuid import UUID

import re2

from airgate.model.webhook import Operation, Rule
from airgate.orchestration.facts import VARIABLES, Facts, Kind

O = Operation  # noqa: E741 - as the tables below read

MOST_RULES: Final = 100
MOST_VALUES: Final = 1000
LONGEST_PATTERN: Final = 200

_EQUALITY: Final = (O.EQUAL, O.NOT_EQUAL)
_LISTS: Final = (O.IN, O.NOT_IN)
_ORDER: Final = (O.LESS_THAN, O.GREATER_THAN)
_OWN_ORDER: Final = (O.LESS_OR_EQUAL, O.GREATER_OR_EQUAL, O.BETWEEN)
_TEXT: Final = (O.CONTAINS, O.MATCHES)

OPERATIONS: Final[dict[Kind, frozenset[Operation]]] = {
    Kind.UUID: frozenset((*_EQUALITY, *_LISTS, O.IS_NULL)),
    Kind.STRING: frozenset((*_EQUALITY, *_LISTS, *_TEXT, O.IS_NULL)),
    Kind.INTEGER: frozenset((*_EQUALITY, *_LISTS, *_ORDER, *_OWN_ORDER, O.IS_NULL)),
    Kind.DATE: frozenset((*_ORDER, *_OWN_ORDER, O.IS_NULL)),
    Kind.TIME: frozenset((*_ORDER, *_OWN_ORDER, O.IS_NULL)),
    Kind.BOOLEAN: frozenset((*_EQUALITY, O.IS_NULL)),
}
"""What may be asked of each type. Beyond Erathos's own table: `OWN`."""

OWN: Final = frozenset((*_OWN_ORDER, *_TEXT, O.IS_NULL))
"""Operations that are Airgate's own."""

_QUIET: Final = re2.Options()
_QUIET.log_errors = False

Predicate = Callable[[Facts], bool]


class RuleError(Exception):
    """A rule is wrong. `field` is the one of its fields that is to be changed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def check(rule: Rule) -> None:
    """Refuse a rule that could never be evaluated. Raises RuleError."""
    _compiled(rule)


def compile_rules(rules: Sequence[Rule], any_of: Sequence[Sequence[Rule]] = ()) -> Predicate:
    """One function for all: every rule holds and, where there are groups, one group holds wholly.

    Raises:
        RuleError: one of them is wrong.
    """
    conditions = [_compiled(rule) for rule in rules]
    groups = [[_compiled(rule) for rule in group] for group in any_of]

    def holds(facts: Facts) -> bool:
        for condition in conditions:
            if not condition(facts):
                return False
        return not groups or any(all(condition(facts) for condition in group) for group in groups)

    return holds


def _compiled(rule: Rule) -> Predicate:
    name = rule.variable_name.upper()
    kind = VARIABLES.get(name)
    if kind is None:
        raise RuleError("variable_name", f"'{rule.variable_name}' is no variable. There are: {', '.join(VARIABLES)}.")
    if rule.operation not in OPERATIONS[kind]:
        fitting = ", ".join(operation for operation in O if operation in OPERATIONS[kind])
        raise RuleError("operation", f"{rule.operation} does not fit {name}, which is a {kind}. What fits: {fitting}.")
    if rule.operation is O.IS_NULL:
        wanted = _boolean(_single(rule))
        return lambda facts: (facts[name] is None) is wanted
    if rule.operation is O.MATCHES:
        return partial(_matches, name, _pattern(_single(rule)))
    if rule.operation in (O.IN, O.NOT_IN, O.BETWEEN):
        return _of_many(name, rule.operation, [_typed(kind, text) for text in _several(rule)])
    return _of_one(name, rule.operation, _typed(kind, _single(rule)))


def _of_one(name: str, operation: Operation, value: Any) -> Predicate:
    """An absent value is less than nothing and equal to nothing; it is only NOT_EQUAL to everything."""
    match operation:
        case O.EQUAL:
            return lambda facts: facts[name] == value
        case O.NOT_EQUAL:
            return lambda facts: facts[name] != value
        case O.CONTAINS:
            return lambda facts: (found := facts[name]) is not None and value in found  # type: ignore[operator]
        case _:
            return partial(_ordered, name, _COMPARE[operation], value)


_COMPARE: Final[dict[Operation, Callable[[Any, Any], bool]]] = {
    O.LESS_THAN: lambda found, value: found < value,
    O.GREATER_THAN: lambda found, value: found > value,
    O.LESS_OR_EQUAL: lambda found, value: found <= value,
    O.GREATER_OR_EQUAL: lambda found, value: found >= value,
}


def _ordered(name: str, compare: Callable[[Any, Any], bool], value: Any, facts: Facts) -> bool:
    found = facts[name]
    return found is not None and compare(found, value)


def _of_many(name: str, operation: Operation, values: list[Any]) -> Predicate:
    if operation is O.BETWEEN:
        if len(values) != 2:
            raise RuleError("value", "BETWEEN takes a list of two values, the first and the last that count.")
        return partial(_between, name, values[0], values[1])
    among = frozenset(values)
    if operation is O.IN:
        return lambda facts: facts[name] in among
    return lambda facts: facts[name] not in among


def _between(name: str, first: Any, last: Any, facts: Facts) -> bool:
    """A span whose end lies before its start passes midnight (times), or holds nothing (dates, integers)."""
    found: Any = facts[name]
    if found is None:
        return False
    if first <= last or not isinstance(first, time):
        return bool(first <= found <= last)
    return bool(found >= first or found <= last)


def _matches(name: str, pattern: Any, facts: Facts) -> bool:
    found = facts[name]
    return found is not None and pattern.fullmatch(str(found)) is not None


def _pattern(text: str) -> Any:
    """A regular expression of RE2, which takes linear time whatever it is. It has to match all of the value."""
    if len(text) > LONGEST_PATTERN:
        raise RuleError("value", f"A pattern has at most {LONGEST_PATTERN} characters.")
    try:
        return re2.compile(text, _QUIET)
    except re2.error as error:
        raise RuleError("value", f"'{text}' is no regular expression of RE2: {error}") from None


def _single(rule: Rule) -> str:
    if rule.value is None and rule.operation is O.IS_NULL:
        return "true"
    if not isinstance(rule.value, str):
        raise RuleError("value", f"{rule.operation} takes one value, as text.")
    return rule.value


def _several(rule: Rule) -> Iterable[str]:
    if rule.value is None or isinstance(rule.value, str):
        raise RuleError("value", f"{rule.operation} takes a list of values, each as text.")
    if not rule.value or len(rule.value) > MOST_VALUES:
        raise RuleError("value", f"{rule.operation} takes 1 to {MOST_VALUES} values.")
    return rule.value


def _typed(kind: Kind, text: str) -> Any:
    try:
        return _TYPED[kind](text)
    except (ValueError, OverflowError):
        raise RuleError("value", f"'{text}' is no {kind}; it is written {_EXAMPLES[kind]}.") from None


def _boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower not in ("true", "false"):
        raise RuleError("value", f'\'{text}\' is no boolean; it is written "true" or "false".')
    return lower == "true"


def _time(text: str) -> time:
    if not re.fullmatch(r"\d{2}:\d{2}", text, re.ASCII):
        raise ValueError(text)
    return time.fromisoformat(text)


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(text)
    return date.fromisoformat(text)


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip(), re.ASCII):
        raise ValueError(text)
    return int(text)


_TYPED: Final[dict[Kind, Callable[[str], Any]]] = {
    Kind.UUID: UUID,
    Kind.STRING: str,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIME: _time,
}
_EXAMPLES: Final = {
    Kind.UUID: '"0196f7a2-4c6e-7d31-b1a5-5f0c2d9e8a11"',
    Kind.STRING: "as text",
    Kind.INTEGER: '"42"',
    Kind.BOOLEAN: '"true" or "false"',
    Kind.DATE: '"2026-11-21" (year-month-day)',
    Kind.TIME: '"08:30" (hour:minute, UTC or the webhook\'s time zone)',
}

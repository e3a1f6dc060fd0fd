from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgate.model.job import Execution, ExecutionStatus
from airgate.model.webhook import Operation, Rule
from airgate.orchestration.facts import VARIABLES, Facts, Kind, facts_of, names_of
from airgate.orchestration.rules import OPERATIONS, OWN, RuleError, check, compile_rules

O = Operation  # noqa: E741 - the tables read better
ID = UUID("0196f7a2-4c6e-7d31-b1a5-5f0c2d9e8a11")
OTHER = "0196f7a2-4c6e-7d31-b1a5-5f0c2d9e8a12"
EXECUTION = Execution(
    id=ID,
    execution_id=ID,
    job_id=ID,
    workspace_id=ID,
    status=ExecutionStatus.FINISHED,
    started_at=datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC),
    ended_at=datetime(2026, 11, 21, 10, 59, 59, 900000, tzinfo=UTC),
    schema_name="sales",
    table_name="orders",
    rows=5,
    triggered_by="ann@example.com",
)
FACTS: Facts = facts_of(EXECUTION)


def holds(name: str, operation: Operation, value: Any, facts: Facts = FACTS) -> bool:
    return compile_rules([Rule(variable_name=name, operation=operation, value=value)])(facts)


@pytest.mark.parametrize(
    ("name", "operation", "value", "answer"),
    [
        ("JOB_ID", O.EQUAL, str(ID), True),
        ("JOB_ID", O.EQUAL, str(ID).upper(), True),
        ("JOB_ID", O.NOT_EQUAL, OTHER, True),
        ("JOB_ID", O.IN, (OTHER, str(ID)), True),
        ("JOB_ID", O.NOT_IN, (OTHER, str(ID)), False),
        ("JOB_ID", O.IS_NULL, None, False),
        ("CONNECTION_ID", O.IS_NULL, "true", True),
        ("CONNECTION_ID", O.EQUAL, str(ID), False),
        ("CONNECTION_ID", O.NOT_EQUAL, str(ID), True),
        ("STATUS", O.EQUAL, "FINISHED", True),
        ("status", O.EQUAL, "FINISHED", True),
        ("STATUS", O.EQUAL, "finished", False),
        ("STATUS", O.NOT_EQUAL, "FAILED", True),
        ("STATUS", O.IN, ("FAILED", "FINISHED"), True),
        ("STATUS", O.NOT_IN, ("FAILED",), True),
        ("TABLE_NAME", O.CONTAINS, "rde", True),
        ("TABLE_NAME", O.CONTAINS, "Rde", False),
        ("TABLE_NAME", O.MATCHES, "ord.*", True),
        ("TABLE_NAME", O.MATCHES, "rder", False),
        ("CONNECTION_NAME", O.CONTAINS, "", False),
        ("CONNECTION_NAME", O.MATCHES, ".*", False),
        ("ROWS", O.EQUAL, "5", True),
        ("ROWS", O.NOT_EQUAL, "5", False),
        ("ROWS", O.IN, ("4", "5"), True),
        ("ROWS", O.NOT_IN, ("4", "5"), False),
        ("ROWS", O.GREATER_THAN, "0", True),
        ("ROWS", O.GREATER_THAN, "5", False),
        ("ROWS", O.LESS_THAN, "5", False),
        ("ROWS", O.GREATER_OR_EQUAL, "5", True),
        ("ROWS", O.LESS_OR_EQUAL, "5", True),
        ("ROWS", O.BETWEEN, ("5", "9"), True),
        ("ROWS", O.BETWEEN, ("9", "5"), False),
        ("COLUMNS", O.LESS_THAN, "100", False),
        ("COLUMNS", O.BETWEEN, ("0", "100"), False),
        ("NESTED_TABLE", O.EQUAL, "false", True),
        ("NESTED_TABLE", O.EQUAL, "False", True),
        ("NESTED_TABLE", O.NOT_EQUAL, "false", False),
        ("FINISHED_AT_DATE", O.GREATER_THAN, "2026-11-20", True),
        ("FINISHED_AT_DATE", O.LESS_THAN, "2026-11-21", False),
        ("FINISHED_AT_DATE", O.BETWEEN, ("2026-11-21", "2026-11-21"), True),
        ("FINISHED_AT_TIME", O.GREATER_THAN, "10:58", True),
        ("FINISHED_AT_TIME", O.GREATER_THAN, "10:59", False),
        ("FINISHED_AT_TIME", O.LESS_THAN, "11:00", True),
        ("FINISHED_AT_TIME", O.BETWEEN, ("22:00", "10:59"), True),
        ("FINISHED_AT_TIME", O.BETWEEN, ("22:00", "10:58"), False),
        ("FINISHED_AT_WEEKDAY", O.IN, ("6", "0"), True),
        ("TOTAL_DURATION", O.EQUAL, "3599", True),
        ("TRIGGERED_BY", O.NOT_EQUAL, "Erathos Schedule", True),
    ],
)
def test_rule_holds_when_the_fact_is_so(name: str, operation: Operation, value: Any, answer: bool) -> None:
    assert holds(name, operation, value) is answer


VALUES: dict[Kind, tuple[str, str]] = {
    Kind.UUID: (str(ID), "no-uuid"),
    Kind.STRING: ("text", ""),
    Kind.INTEGER: ("42", "4.2"),
    Kind.BOOLEAN: ("true", "1"),
    Kind.DATE: ("2026-11-21", "21.11.2026"),
    Kind.TIME: ("08:30", "'02:59'"),
}
ERATHOS = {
    Kind.UUID: {O.EQUAL, O.NOT_EQUAL, O.IN, O.NOT_IN},
    Kind.STRING: {O.EQUAL, O.NOT_EQUAL, O.IN, O.NOT_IN},
    Kind.INTEGER: {O.EQUAL, O.NOT_EQUAL, O.IN, O.NOT_IN, O.LESS_THAN, O.GREATER_THAN},
    Kind.DATE: {O.LESS_THAN, O.GREATER_THAN},
    Kind.TIME: {O.LESS_THAN, O.GREATER_THAN},
    Kind.BOOLEAN: {O.EQUAL, O.NOT_EQUAL},
}


def test_every_type_has_the_documented_operations_and_beyond_them_only_our_own() -> None:
    for kind in Kind:
        assert ERATHOS[kind] <= OPERATIONS[kind]
        assert OPERATIONS[kind] - ERATHOS[kind] <= OWN


@pytest.mark.parametrize("operation", list(O))
@pytest.mark.parametrize("name", list(VARIABLES))
def test_every_operation_is_taken_or_explained_for_every_variable(name: str, operation: Operation) -> None:
    good, bad = VALUES[VARIABLES[name]]
    value: Any = (good, good) if operation in (O.IN, O.NOT_IN, O.BETWEEN) else good
    rule = Rule(variable_name=name, operation=operation, value="true" if operation is O.IS_NULL else value)
    if operation in OPERATIONS[VARIABLES[name]]:
        check(rule)
        compile_rules([rule])(FACTS)
        if bad and operation not in (O.IS_NULL, O.CONTAINS, O.MATCHES):
            worse = (bad, bad) if isinstance(value, tuple) else bad
            with pytest.raises(RuleError, match="is written") as caught:
                check(Rule(variable_name=name, operation=operation, value=worse))
            assert caught.value.field == "value"
    else:
        with pytest.raises(RuleError, match="does not fit") as caught:
            check(rule)
        assert caught.value.field == "operation"


@pytest.mark.parametrize(
    ("rule", "field", "explained"),
    [
        (Rule(variable_name="NOBODY", operation=O.EQUAL, value="x"), "variable_name", "is no variable"),
        (Rule(variable_name="STATUS", operation=O.EQUAL, value=("x",)), "value", "takes one value"),
        (Rule(variable_name="STATUS", operation=O.IN, value="x"), "value", "takes a list"),
        (Rule(variable_name="STATUS", operation=O.IN, value=()), "value", "1 to"),
        (Rule(variable_name="STATUS", operation=O.EQUAL), "value", "takes one value"),
        (Rule(variable_name="ROWS", operation=O.BETWEEN, value=("1",)), "value", "two values"),
        (Rule(variable_name="STATUS", operation=O.MATCHES, value="("), "value", "no regular expression"),
        (Rule(variable_name="STATUS", operation=O.MATCHES, value="x" * 300), "value", "at most"),
    ],
)
def test_wrong_rule_is_explained(rule: Rule, field: str, explained: str) -> None:
    with pytest.raises(RuleError) as caught:
        check(rule)
    assert (caught.value.field, explained in caught.value.message) == (field, True)


def test_all_rules_hold_and_one_group_wholly() -> None:
    finished = Rule(variable_name="STATUS", operation=O.EQUAL, value="FINISHED")
    failed = Rule(variable_name="STATUS", operation=O.EQUAL, value="FAILED")
    many = Rule(variable_name="ROWS", operation=O.GREATER_THAN, value="1000")
    some = Rule(variable_name="ROWS", operation=O.GREATER_THAN, value="0")
    assert compile_rules([])(FACTS)
    assert not compile_rules([finished, many])(FACTS)
    assert compile_rules([finished], [[many], [some]])(FACTS)
    assert not compile_rules([finished], [[some, many], [failed]])(FACTS)


def test_printed_weekday_window_holds_at_its_edges() -> None:
    rules = [
        Rule(variable_name="FINISHED_AT_WEEKDAY", operation=O.IN, value=("1", "2", "3", "4", "5")),
        Rule(variable_name="FINISHED_AT_TIME", operation=O.GREATER_THAN, value="02:59"),
        Rule(variable_name="FINISHED_AT_TIME", operation=O.LESS_THAN, value="11:00"),
    ]
    window = compile_rules(rules)
    for moment, inside in (("03:00", True), ("10:59", True), ("02:59", False), ("11:00", False)):
        facts = {**FACTS, "FINISHED_AT_TIME": time.fromisoformat(moment), "FINISHED_AT_WEEKDAY": 1}
        assert window(facts) is inside


def test_facts_are_told_in_the_webhooks_zone() -> None:
    facts = facts_of(EXECUTION, ZoneInfo("Pacific/Kiritimati"))
    assert facts["FINISHED_AT_DATE"] == date(2026, 11, 22)
    assert facts["FINISHED_AT_TIME"] == time(0, 59)
    assert facts["FINISHED_AT_WEEKDAY"] == 0


def test_templates_see_facts_as_json() -> None:
    names = names_of(EXECUTION)["erathos"]
    assert names["finished_at_time"] == "10:59"
    assert names["job_id"] == str(ID)
    assert names["nested_table"] is False
    assert set(names) == {name.lower() for name in VARIABLES}


@given(st.integers(-(10**17), 10**17), st.integers(-(10**17), 10**17))
def test_integers_compare_as_numbers(found: int, value: int) -> None:
    facts = {**FACTS, "ROWS": found}
    assert holds("ROWS", O.LESS_THAN, str(value), facts) is (found < value)
    assert holds("ROWS", O.GREATER_OR_EQUAL, str(value), facts) is (found >= value)

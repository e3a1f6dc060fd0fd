"""What is asked often never reads a whole table. On SQLite, whose plans do not depend on what a table holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import event
from uuid_utils.compat import uuid7

from airgate.model.audit import AuditFilter
from airgate.model.errors import NotFound
from airgate.model.query import Order, Page, RunFilter, RunSearch, Span, TaskFilter
from airgate.model.run import DagRun
from airgate.model.states import RunState, TaskState
from airgate.model.trigger import TriggerFilter, TriggerKey, TriggerState
from airgate.store import audit, events, run_search, runs, tasks, triggers, xcoms
from airgate.store.database import Database, Tx
from airgate.store.run_index import RunIndex
from airgate.store.triggers import Draft
from tests.contract.store.builders import at, make_run, make_trigger, make_xcom

OF_DAG = RunFilter(dag_ids=("d",))
PAGE = Page(limit=50)


def listed(which: RunFilter, field: str, *, descending: bool = True) -> Callable[[Tx], Any]:
    return lambda tx: runs.list_runs(tx, which, Order(field, descending=descending), PAGE)


def listed_tasks(which: TaskFilter, field: str = "start_date") -> Callable[[Tx], Any]:
    return lambda tx: tasks.list_tasks(tx, which, Order(field), PAGE)


def listed_far(order: Order) -> Callable[[Tx], Any]:
    index = RunIndex(few=0)
    return lambda tx: index.list_runs(tx, RunFilter(start_date=Span(at(0))), order, PAGE)


def accepted(tx: Tx) -> Any:
    run = make_run("new", logical_date=at(1))
    return triggers.accept(tx, [Draft(make_trigger(run, "k"), run)] * 2)


def listed_triggers(which: TriggerFilter) -> Callable[[Tx], Any]:
    return lambda tx: triggers.list_triggers(tx, "local", which, 50, TriggerKey(at(1), uuid7()))


def followed(tx: Tx) -> Any:
    with suppress(NotFound):
        triggers.followed(tx, "local", uuid7())


TRIGGERS = {
    "all": TriggerFilter(),
    "of a DAG": TriggerFilter(dag_ids=("d",)),
    "of a day": TriggerFilter(since=at(1), until=at(2)),
    "finished": TriggerFilter(states=(TriggerState.FINISHED,)),
    "running": TriggerFilter(states=(TriggerState.RUNNING,)),
    "accepted, of a DAG": TriggerFilter(dag_ids=("d",), states=(TriggerState.ACCEPTED,)),
}
DATES = ("execution_date", "logical_date", "start_date", "end_date")
CASES: dict[str, Callable[[Tx], Any]] = {
    **{f"runs by {field}": listed(OF_DAG, field) for field in ("seq", "run_id", *DATES)},
    "runs of all DAGs": listed(RunFilter(), "seq"),
    "runs of a DAG in a state": listed(RunFilter(dag_ids=("d",), states=(RunState.SUCCESS,)), "seq"),
    "unfinished runs": listed(RunFilter(states=(RunState.QUEUED, RunState.RUNNING)), "seq"),
    "failed runs": listed(RunFilter(states=(RunState.FAILED,)), "seq"),
    "changed runs": listed(RunFilter(updated_at=Span(at(1))), "seq"),
    "changed runs of a DAG": listed(RunFilter(dag_ids=("d",), updated_at=Span(at(1))), "seq"),
    "runs of a day": listed(RunFilter(dag_ids=("d",), execution_date=Span(at(1), at(2))), "seq"),
    "runs searched": lambda tx: run_search.search(tx, RunSearch(), 50),
    "runs searched on": lambda tx: run_search.search(tx, RunSearch(dag_ids=("d",), after=(at(1), 5)), 50),
    "runs holding ids and dates": lambda tx: run_search.holding(tx, "d", ["r1", "r2"], [at(1), at(2)]),
    "runs.get": lambda tx: runs._present(tx, [("d", "r1"), ("d", "r2"), ("e", "r1")]),
    "runs.save": lambda tx: runs.save(tx, [make_run()]),
    "runs.unfinished": runs.unfinished,
    "runs.newest_scheduled": lambda tx: runs.newest_scheduled(tx, "d"),
    "runs.previous": lambda tx: runs.previous(tx, "d", at(1)),
    "runs.recent_states": lambda tx: runs.recent_states(tx, "d", 5),
    "runs.delete": lambda tx: runs.delete(tx, "d", "r1"),
    "triggers.accept": accepted,
    "triggers.followed": followed,
    **{f"triggers {name}": listed_triggers(which) for name, which in TRIGGERS.items()},
    "tasks.of_run": lambda tx: tasks.of_run(tx, "d", "r1"),
    "tasks.of_runs": lambda tx: tasks.of_runs(tx, [("d", "r1"), ("d", "r2"), ("e", "r1")]),
    "tasks.previous": lambda tx: tasks.previous(tx, "d", "t", at(1)),
    "tasks of a run": listed_tasks(TaskFilter(dag_ids=("d",), run_ids=("r1",))),
    "running tasks": lambda tx: tasks.count(tx, TaskFilter(states=(TaskState.RUNNING,))),
    "changed tasks": listed_tasks(TaskFilter(updated_at=Span(at(1)))),
    "tasks of a run as asked by default": listed_tasks(TaskFilter(dag_ids=("d",), run_ids=("r1",)), "map_index"),
    "changed tasks as asked by default": listed_tasks(TaskFilter(updated_at=Span(at(1))), "map_index"),
    **{f"far runs by {field}": listed_far(Order(field)) for field in ("seq", "dag_id", "updated_at", "conf")},
    "pool usage": tasks.pool_usage,
    "xcoms.put": lambda tx: xcoms.put(tx, make_xcom()),
    "xcoms.get": lambda tx: xcoms.values(tx, "d", "r1", "t", "k"),
    "xcoms.prior": lambda tx: xcoms.prior(tx, "d", "t", "k", at(1)),
    "events.after": lambda tx: events.after(tx, 5, 5),
    "audit of a DAG": lambda tx: audit.newest(tx, AuditFilter(dag_ids=("d",)), 50, 9),
    "audit of somebody": lambda tx: audit.newest(tx, AuditFilter(actor="ann"), 50, 9),
    "audit of an event": lambda tx: audit.newest(tx, AuditFilter(events=("post_dag_run",)), 50, 9),
    "audit of a day": lambda tx: audit.newest(tx, AuditFilter(since=at(1), until=at(2)), 50, 9),
    "audit, next page": lambda tx: audit.newest(tx, AuditFilter(), 50, 9),
    "audit.prune": lambda tx: audit.prune(tx, at(1), 500),
}

# Reading an index made of few rows, or a whole table in the order of its key until a page is full, is what is wanted.
FINE = (
    "SCAN dag_run USING INDEX ix_dag_run_unfinished",
    "SCAN dag_run USING INDEX ix_dag_run_failed",
    "SCAN task_instance USING INDEX ix_task_instance_in_pool",
    "SCAN task_instance USING COVERING INDEX ix_task_instance_in_pool",
    "SCAN run_count",
    "SCAN run_block",
    "SCAN run_count USING INDEX sqlite_autoindex_run_count_1",
)


def plan_of(tx: Tx, ask: Callable[[Tx], Any]) -> list[str]:
    """How SQLite goes about every statement of a function."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        statements.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(tx.connection, "before_cursor_execute", note)
    ask(tx)
    event.remove(tx.connection, "before_cursor_execute", note)
    plans = [tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in statements]
    return [row[3] for rows in plans for row in rows]


@pytest.mark.parametrize("name", CASES)
async def test_no_whole_table_is_read(sqlite_database: Database, name: str) -> None:
    def look(tx: Tx) -> list[str]:
        runs.insert(tx, make_run(start_date=at(1)))
        return plan_of(tx, CASES[name])

    plan = await sqlite_database.write(look)

    scans = [step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step]
    if name == "runs of all DAGs":
        assert [step for step in scans if step != "SCAN run_count"] == ["SCAN dag_run"]
    else:
        assert [step for step in scans if step not in FINE] == []


async def test_all_task_instances_are_not_sorted_to_be_listed_as_asked_by_default(sqlite_database: Database) -> None:
    plan = await sqlite_database.write(plan_of, listed_tasks(TaskFilter(), "map_index"))

    assert "SCAN task_instance USING INDEX ix_task_instance_map_index" in plan
    assert [step for step in plan if "B-TREE" in step] == []


async def test_whole_table_would_be_noticed(sqlite_database: Database) -> None:
    plan = await sqlite_database.write(plan_of, listed(RunFilter(), "note"))

    assert "SCAN dag_run" in plan


def test_every_date_of_a_run_that_lists_are_sorted_by_is_covered() -> None:
    assert {*DATES} == {name for name in (*DagRun.__struct_fields__, "execution_date") if name.endswith("_date")}

"""The obligations of `airgate.orchestration.outbox.Outbox`, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from airgate.model.errors import Unavailable
from airgate.model.event import Event
from airgate.model.job import ExecutionStatus
from airgate.model.states import RunState, TaskState
from airgate.model.webhook import Absence, Coalesce, DeliveryState, Gather, Operation, Rule
from airgate.orchestration import windows
from airgate.store import events, runs, tasks, webhooks, workspaces, xcoms
from airgate.store.database import Database
from tests.contract.orchestration.world import DAG_JOB, HOME, JOB, World
from tests.contract.store.builders import make_task, make_xcom
from tests.support.clock import Clock

OTHER = UUID(int=2)


def rule(name: str, operation: Operation, value: Any) -> Rule:
    return Rule(variable_name=name, operation=operation, value=value)


@pytest.fixture
def world(database: Database, clock: Clock) -> World:
    return World(database, clock)


# ---------------------------------------------------------------------------------------------------- who hears of what


async def test_every_webhook_whose_rules_hold_has_one_delivery(world: World) -> None:
    plain = await world.webhook()
    failed = await world.webhook(rules=(rule("STATUS", Operation.EQUAL, "FAILED"),))
    many = await world.webhook(rules=(rule("ROWS", Operation.GREATER_THAN, "5"),))
    off = await world.webhook(is_active=False)
    other = await world.webhook(jobs=(OTHER,))
    small = await world.ends(rows=5)
    large = await world.ends(rows=6, status=ExecutionStatus.FAILED)
    await world.settle()
    found = {
        hook.id: [one.execution for one in await world.deliveries(hook)] for hook in (plain, failed, many, off, other)
    }
    assert found == {
        plain.id: [small.id, large.id],
        failed.id: [large.id],
        many.id: [large.id],
        off.id: [],
        other.id: [],
    }
    assert await world.database.read(events.waiting, 10) == ()


async def test_webhook_hears_nothing_of_before_it_was_made(world: World) -> None:
    await world.ends()
    world.clock.pass_(1)
    webhook = await world.webhook()
    await world.ends(ended_at=world.clock() - timedelta(days=1))  # told of only now
    await world.settle()
    assert len(await world.deliveries(webhook)) == 1


async def test_cancelled_execution_is_for_those_who_ask_for_its_status(world: World) -> None:
    deaf = await world.webhook()
    hearing = await world.webhook(rules=(rule("STATUS", Operation.IN, ("CANCELLED", "FAILED")),))
    either = await world.webhook(any_of=((rule("STATUS", Operation.NOT_EQUAL, "FINISHED"),),))
    await world.ends(status=ExecutionStatus.CANCELLED)
    await world.settle()
    assert [len(await world.deliveries(hook)) for hook in (deaf, hearing, either)] == [0, 1, 1]


async def test_webhook_changed_between_look_and_keeping_is_heeded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, changed = await world.webhook(coalesce=Coalesce(seconds=60)), await world.webhook()
    read = world.database.read
    await world.ends()

    async def then_changes(fn: Any, *arguments: Any, **more: Any) -> Any:
        found = await read(fn, *arguments, **more)
        if getattr(fn, "__name__", "") == "_look" and monkeypatch is not None and not done:
            done.append(True)
            await world.database.write(webhooks.delete, HOME, gone.id)
            await world.change(changed, rules=(rule("STATUS", Operation.EQUAL, "FAILED"),))
        return found

    done: list[bool] = []
    monkeypatch.setattr(world.database, "read", then_changes)
    await world.settle()
    assert await world.deliveries() == []
    assert await read(events.waiting, 10) == ()


# ------------------------------------------------------------------------------------------------------------- DAG runs


async def test_run_is_told_with_what_it_told_of_itself(world: World) -> None:
    webhook = await world.webhook(jobs=(DAG_JOB,))
    run = await world.run_ends(state=RunState.RUNNING)
    await world.settle()
    told = {"table": "orders", "rows": 7, "connection_name": "shop"}
    await world.database.write(xcoms.put, make_xcom("airgate", told, task_id="load"))
    await world.database.write(tasks.insert, [make_task("load", state=TaskState.FAILED), make_task("t2")])
    await world.run_ends(state=RunState.FAILED)
    await world.settle()
    first, second = await world.executions(webhook)
    assert (second.status, second.table_name, second.rows, second.connection_name) == (
        ExecutionStatus.FAILED, "orders", 7, "shop",
    )  # fmt: skip
    assert second.run is not None
    assert second.run["failed_tasks"] == ["load"]
    assert second.run["url"] == f"http://airgate.test/local/airflow/api/v1/dags/d/dagRuns/{run.run_id}"
    assert first.id != second.id


async def test_run_of_several_tables_is_told_table_by_table(world: World) -> None:
    every = await world.webhook(jobs=(DAG_JOB,))
    main = await world.webhook(jobs=(DAG_JOB,), rules=(rule("NESTED_TABLE", Operation.EQUAL, "false"),))
    tables = [
        {"table": "orders", "rows": 5},
        {"table": "lines", "rows": 9},
        {"table": "refunds", "nested_table": False},
    ]
    run = await world.run_ends(conf={"airgate": {"schema": "shop", "tables": tables}})
    await world.settle()
    told = await world.executions(every)
    assert [(one.schema_name, one.table_name, one.rows, one.nested_table) for one in told] == [
        ("shop", "orders", 5, False), ("shop", "lines", 9, True), ("shop", "refunds", None, False),
    ]  # fmt: skip
    assert {one.execution_id for one in told} == {run.id}
    assert [one.table_name for one in await world.executions(main)] == ["orders", "refunds"]


async def test_run_that_is_running_again_is_told_as_it_ended(world: World) -> None:
    webhook = await world.webhook(jobs=(DAG_JOB,))
    run = await world.run_ends()
    ended = world.clock()
    await world.database.write(
        runs.save, [_again(await world.database.read(runs.get, "d", "r1"))]
    )  # cleared before its end was heard of
    await world.settle()
    (told,) = await world.executions(webhook)
    assert (told.status, told.ended_at, told.execution_id) == (ExecutionStatus.FINISHED, ended, run.id)
    world.clock.pass_(60)
    await world.run_ends(state=RunState.FAILED, clear_number=1)
    await world.settle()
    _, again = await world.executions(webhook)
    assert (again.status, again.ended_at) == (ExecutionStatus.FAILED, world.clock())
    assert again.execution_id != told.execution_id


def _again(run: Any) -> Any:
    return msgspec.structs.replace(run, state=RunState.RUNNING, end_date=None, clear_number=run.clear_number + 1)


async def test_run_marked_by_hand_after_its_end_is_told_again(world: World) -> None:
    webhook = await world.webhook(jobs=(DAG_JOB,))
    await world.run_ends()
    world.clock.pass_(5)
    await world.run_ends(state=RunState.FAILED)
    await world.settle()
    first, second = await world.executions(webhook)
    assert (first.status, second.status) == (ExecutionStatus.FINISHED, ExecutionStatus.FAILED)
    assert first.execution_id == second.execution_id


async def test_run_that_was_deleted_is_settled_and_keeps_no_other_waiting(world: World) -> None:
    webhook = await world.webhook(jobs=(DAG_JOB,))
    await world.run_ends("gone")
    await world.run_ends("there")
    await world.database.write(runs.delete, "d", "gone")
    await world.settle()
    (told,) = await world.executions(webhook)
    assert told.run is not None
    assert told.run["run_id"] == "there"
    assert await world.database.read(events.waiting, 10) == ()


LATER = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "event",
    [
        Event(kind="execution.finished", at=LATER, payload={}),
        Event(kind="execution.finished", at=LATER, payload={"execution": 5}),
        Event(kind="execution.finished", at=LATER, payload={"execution": str(UUID(int=9))}),
        Event(kind="dag_run.finished", at=LATER, dag_id="d", run_id="r1", payload={"state": 7}),
        Event(kind="dag_run.finished", at=LATER),
        Event(kind="of a later Airgate", at=LATER, payload={"a": [None]}),
    ],
)  # fmt: skip
async def test_event_nobody_understands_keeps_no_other_from_being_settled(world: World, event: Event) -> None:
    webhook = await world.webhook(jobs=(JOB, DAG_JOB))
    await world.run_ends()
    await world.settle()
    await world.database.write(events.append, [event])
    await world.ends()
    await world.settle()
    assert len(await world.deliveries(webhook)) == 2
    assert await world.database.read(events.waiting, 10) == ()


async def test_execution_no_database_can_keep_costs_no_other_its_delivery(world: World) -> None:
    webhook = await world.webhook(coalesce=Coalesce(seconds=1, key="${{erathos.table_name}}"))
    await world.ends(table_name="x" * 100_000)
    await world.ends(table_name="a\x00b")
    await world.ends(table_name="plain")
    await world.settle()
    world.clock.pass_(1)
    await world.settle()
    assert {one.table_name for one in await world.executions(webhook)} >= {"plain", "x" * 100_000}
    assert await world.database.read(events.waiting, 10) == ()


async def test_store_that_is_gone_settles_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = await world.webhook()
    await world.ends()
    write = world.database.write
    refusing = [True]

    def refuses(fn: Any, *arguments: Any, **more: Any) -> Any:
        if refusing:
            raise Unavailable("gone")
        return write(fn, *arguments, **more)

    monkeypatch.setattr(world.database, "write", refuses)
    with pytest.raises(Unavailable):
        await world.settle()
    refusing.clear()
    await world.settle()
    assert len(await world.deliveries(webhook)) == 1


# -------------------------------------------------------------------------------------------------------------- windows


async def test_events_of_a_window_and_key_are_one_delivery(world: World) -> None:
    webhook = await world.webhook(coalesce=Coalesce(seconds=60, key="${{erathos.table_name}}"))
    for table in ("a", "b", "a", "a"):
        await world.ends(table_name=table)
        await world.settle()
        world.clock.pass_(10)
    assert await world.deliveries(webhook) == []
    world.clock.pass_(20)
    await world.settle()
    world.clock.pass_(20)
    await world.settle()
    made = await world.deliveries(webhook)
    told = await world.executions(webhook)
    assert [(one.count, execution.table_name) for one, execution in zip(made, told, strict=True)] == [
        (3, "a"),
        (1, "b"),
    ]
    await world.ends(table_name="a")
    await world.settle()
    world.clock.pass_(60)
    await world.settle()
    assert [one.count for one in await world.deliveries(webhook)] == [3, 1, 1]


async def test_window_of_a_webhook_that_was_switched_off_sends_nothing(world: World) -> None:
    webhook = await world.webhook(coalesce=Coalesce(seconds=60))
    await world.ends()
    await world.settle()
    await world.change(webhook, is_active=False)
    world.clock.pass_(60)
    await world.settle()
    assert await world.deliveries(webhook) == []


async def test_all_of_several_jobs_within_the_time_are_one_delivery(world: World) -> None:
    webhook = await world.webhook(jobs=(JOB, OTHER), gather=Gather(seconds=60))
    for seconds, job in ((0, JOB), (10, JOB), (10, OTHER), (5, OTHER), (100, JOB), (61, OTHER), (1, JOB)):
        world.clock.pass_(seconds)
        await world.ends(job_id=job)
        await world.settle()
    assert [one.count for one in await world.deliveries(webhook)] == [3, 2]


async def test_jobs_that_ended_far_apart_while_nobody_listened_are_not_together(world: World) -> None:
    webhook = await world.webhook(jobs=(JOB, OTHER), gather=Gather(seconds=60))
    await world.ends(job_id=JOB)
    world.clock.pass_(3600)
    await world.ends(job_id=OTHER)
    await world.settle()
    assert await world.deliveries(webhook) == []


ABSENT = Absence(at=time(14), since=time(13))


async def test_absence_is_told_once_a_day_and_only_where_nothing_came(world: World) -> None:
    webhook = await world.webhook(absence=ABSENT)  # made at noon
    await world.settle()
    for day, came in enumerate((False, True, False)):
        world.clock.now = datetime(2026, 3, 1 + day, 13, 30, tzinfo=UTC)
        if came:
            await world.ends()
        await world.settle()
        world.clock.now = datetime(2026, 3, 1 + day, 14, 0, tzinfo=UTC)
        await world.settle()
        await world.settle()
    missed = await world.executions(webhook)
    assert [one.ended_at for one in missed] == [datetime(2026, 3, day, 14, tzinfo=UTC) for day in (1, 3)]
    assert {one.status for one in missed} == {ExecutionStatus.MISSED}
    assert missed[0].error == "None came between 2026-03-01 13:00 and 2026-03-01 14:00 UTC"


async def test_absence_counts_only_what_came_within_its_time(world: World) -> None:
    webhook = await world.webhook(absence=ABSENT, rules=(rule("STATUS", Operation.EQUAL, "FINISHED"),))
    await world.settle()
    await world.ends()  # too early
    world.clock.now = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    await world.ends(status=ExecutionStatus.FAILED)  # not what is waited for
    await world.settle()
    world.clock.now = datetime(2026, 3, 1, 14, 0, 1, tzinfo=UTC)
    await world.ends()  # too late, and heard of before the time was known to be over
    await world.settle()
    assert len(await world.deliveries(webhook)) == 1


async def test_absence_is_not_told_of_a_time_that_began_before_the_webhook(world: World) -> None:
    world.clock.now = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    webhook = await world.webhook(absence=ABSENT)
    await world.settle()
    world.clock.now = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
    await world.settle()
    assert await world.deliveries(webhook) == []
    world.clock.now = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    await world.settle()
    assert len(await world.deliveries(webhook)) == 1


async def test_absence_waits_for_what_came_while_nobody_listened(world: World) -> None:
    webhook = await world.webhook(absence=ABSENT)
    await world.settle()
    world.clock.now = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    for _ in range(450):  # more than one look brings
        await world.ends(job_id=OTHER)
    await world.ends()
    world.clock.now = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
    world.begin_anew()
    await world.settle()
    assert await world.deliveries(webhook) == []
    window = await world.database.read(webhooks.get_window, webhook.id, windows.ABSENCE)
    assert window is not None
    assert window.due_at == datetime(2026, 3, 2, 14, tzinfo=UTC)


async def test_changed_absence_is_watched_as_it_is_now(world: World) -> None:
    webhook = await world.webhook(absence=ABSENT)
    await world.settle()
    await world.change(webhook, absence=Absence(at=time(15), since=time(12, 30)))
    await world.settle()
    window = await world.database.read(webhooks.get_window, webhook.id, windows.ABSENCE)
    assert window is not None
    assert (window.opened_at.hour, window.due_at) == (12, datetime(2026, 3, 1, 15, tzinfo=UTC))


async def test_unrelated_change_forgets_nothing_that_came(world: World) -> None:
    webhook = await world.webhook(absence=ABSENT)
    await world.settle()
    world.clock.now = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    await world.ends()
    await world.settle()
    await world.variable("x", "y")
    await world.settle()
    world.clock.now = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
    await world.settle()
    assert await world.deliveries(webhook) == []
    assert (await world.database.read(workspaces.variables_of, HOME)) == {"x": "y"}


async def test_deliveries_are_due_at_once(world: World) -> None:
    webhook = await world.webhook()
    await world.ends()
    await world.settle()
    (made,) = await world.deliveries(webhook)
    assert (made.state, made.next_attempt_at, made.attempts) == (DeliveryState.PENDING, world.clock(), 0)

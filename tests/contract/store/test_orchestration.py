"""Workspaces, jobs, webhooks, hooks and block windows in the store."""

from __future__ import annotations

from datetime import time
from typing import Any
from uuid import UUID

import msgspec
import pytest
from uuid_utils.compat import uuid7

from airgate.model.errors import Conflict, InvalidInput, NotFound
from airgate.model.job import Execution, ExecutionStatus, Job, JobKind
from airgate.model.query import Order, Page, Span
from airgate.model.webhook import (
    BlockWindow,
    Hook,
    HookScheme,
    Method,
    Operation,
    Rule,
    SigningKey,
    Target,
    TargetKind,
    Webhook,
    WebhookWindow,
)
from airgate.model.workspace import DEFAULT_WORKSPACE_ID, Workspace, WorkspaceSecret, WorkspaceVariable
from airgate.store import events, hooks, jobs, webhooks, workspaces
from airgate.store.database import Database
from airgate.store.jobs import ExecutionFilter
from airgate.store.webhooks import WebhookFilter
from tests.contract.store.builders import at

HOME = DEFAULT_WORKSPACE_ID
JOB = UUID(int=1)
ALL = Page(100)


def make_workspace(name: str = "sales", **more: Any) -> Workspace:
    return Workspace(id=uuid7(), name=name, created_at=at(0), updated_at=at(0), **more)


def make_variable(name: str = "host", value: str = "v", **more: Any) -> WorkspaceVariable:
    values: dict[str, Any] = {"workspace_id": HOME, "created_at": at(0), "updated_at": at(0)}
    return WorkspaceVariable(id=uuid7(), name=name, value=value, **(values | more))


def make_secret(name: str = "token", **more: Any) -> WorkspaceSecret:
    values: dict[str, Any] = {"workspace_id": HOME, "created_at": at(0), "updated_at": at(0)}
    return WorkspaceSecret(id=uuid7(), name=name, **(values | more))


def make_job(name: str = "orders", **more: Any) -> Job:
    values: dict[str, Any] = {"workspace_id": HOME, "created_at": at(0), "updated_at": at(0)}
    return Job(id=uuid7(), kind=JobKind.EXTERNAL, name=name, **(values | more))


def make_execution(**more: Any) -> Execution:
    key = uuid7()
    values: dict[str, Any] = {
        "id": key,
        "execution_id": key,
        "job_id": JOB,
        "workspace_id": HOME,
        "status": ExecutionStatus.FINISHED,
        "started_at": at(0),
        "ended_at": at(1),
    }
    return Execution(**(values | more))


def make_webhook(description: str = "w", **more: Any) -> Webhook:
    values: dict[str, Any] = {
        "workspace_id": HOME,
        "is_active": True,
        "url": "https://x.test/",
        "jobs": (JOB,),
        "created_at": at(0),
        "updated_at": at(0),
    }
    return Webhook(id=uuid7(), description=description, **(values | more))


# ---------------------------------------------------------------------------------------------------------- workspaces


async def test_one_workspace_exists_from_the_start(database: Database) -> None:
    (first,) = await database.read(workspaces.list_all)
    assert (first.id, first.name, first.private_targets) == (HOME, "default", ())
    assert await database.read(workspaces.by_name, "default") == first


async def test_workspace_is_kept_changed_and_deleted(database: Database) -> None:
    made = await database.write(workspaces.create, make_workspace(private_targets=("10.0.0.0/8",)))
    assert await database.read(workspaces.get, made.id) == made
    with pytest.raises(Conflict) as taken:
        await database.write(workspaces.create, make_workspace())
    assert taken.value.code == "workspace_exists"
    await database.write(workspaces.delete, made.id)
    with pytest.raises(NotFound) as gone:
        await database.read(workspaces.get, made.id)
    assert gone.value.code == "workspace_not_found"


async def test_workspace_that_holds_a_webhook_is_not_deleted(database: Database) -> None:
    made = await database.write(workspaces.create, make_workspace())
    webhook = await database.write(webhooks.create, make_webhook(workspace_id=made.id))
    with pytest.raises(Conflict) as used:
        await database.write(workspaces.delete, made.id)
    assert used.value.code == "workspace_in_use"
    await database.write(webhooks.delete, made.id, webhook.id)
    await database.write(workspaces.create_variable, make_variable(workspace_id=made.id))
    await database.write(workspaces.delete, made.id)


async def test_variables_are_told_apart_by_more_than_case(database: Database) -> None:
    made = await database.write(workspaces.create_variable, make_variable("Airflow_URL", "x.test"))
    with pytest.raises(Conflict):
        await database.write(workspaces.create_variable, make_variable("airflow_url"))
    other = await database.write(workspaces.create_variable, make_variable("other"))
    renamed = WorkspaceVariable(
        id=other.id, workspace_id=HOME, name="AIRFLOW_url", value="", created_at=at(0), updated_at=at(1)
    )
    with pytest.raises(Conflict):
        await database.write(workspaces.update_variable, renamed)
    assert await database.read(workspaces.find_variable, HOME, "AIRFLOW_URL") == made
    assert await database.read(workspaces.variables_of, HOME) == {"airflow_url": "x.test", "other": "v"}


async def test_lists_of_variables_are_paged_and_sorted(database: Database) -> None:
    for name in ("b", "a", "c"):
        await database.write(workspaces.create_variable, make_variable(name))
    listing = await database.read(workspaces.list_variables, HOME, Order("name", descending=True), Page(2))
    assert ([one.name for one in listing.items], listing.total) == (["c", "b"], 3)
    with pytest.raises(InvalidInput):
        await database.read(workspaces.list_variables, HOME, Order("value"), ALL)


async def test_secret_is_given_back_for_rendering_alone(database: Database) -> None:
    made = await database.write(workspaces.create_secret, make_secret(), "s3cret-value")
    assert await database.read(workspaces.get_secret, HOME, made.id) == made
    assert "s3cret" not in repr(await database.read(workspaces.list_secrets, HOME, Order("name"), ALL))
    assert await database.read(workspaces.secrets_of, HOME) == {"token": "s3cret-value"}
    await database.write(workspaces.update_secret, made, "other")
    assert await database.read(workspaces.secrets_of, HOME) == {"token": "other"}
    await database.write(workspaces.update_secret, made)
    assert await database.read(workspaces.secrets_of, HOME) == {"token": "other"}
    await database.write(workspaces.delete_secret, HOME, made.id)
    assert await database.read(workspaces.names_of, HOME) == ((), ())


async def test_nothing_of_another_workspace_is_found(database: Database) -> None:
    foreign = await database.write(workspaces.create, make_workspace())
    variable = await database.write(workspaces.create_variable, make_variable())
    secret = await database.write(workspaces.create_secret, make_secret(), "v")
    for find, key in (
        (workspaces.get_variable, variable.id),
        (workspaces.get_secret, secret.id),
        (workspaces.find_variable, "host"),
        (workspaces.find_secret, "token"),
    ):
        with pytest.raises(NotFound):
            await database.read(find, foreign.id, key)  # type: ignore[arg-type]


async def test_every_change_raises_the_revision(database: Database) -> None:
    seen = [await database.read(workspaces.revision)]
    await database.write(workspaces.create_variable, make_variable())
    seen.append(await database.read(workspaces.revision))
    await database.write(workspaces.create_secret, make_secret(), "v")
    seen.append(await database.read(workspaces.revision))
    webhook = await database.write(webhooks.create, make_webhook())
    seen.append(await database.read(workspaces.revision))
    await database.write(webhooks.delete, HOME, webhook.id)
    seen.append(await database.read(workspaces.revision))
    assert seen == sorted(set(seen))


# ---------------------------------------------------------------------------------------------------------------- jobs


async def test_report_of_an_end_is_kept_once_with_its_event(database: Database) -> None:
    running = make_execution(status=ExecutionStatus.RUNNING, ended_at=None)
    ended = make_execution(id=running.id, execution_id=running.id, rows=5)
    assert await database.write(jobs.report, running, at(9)) == (running, False)
    assert await database.write(jobs.report, ended, at(9)) == (ended, True)
    late = make_execution(id=running.id, execution_id=running.id, status=ExecutionStatus.FAILED)
    assert await database.write(jobs.report, late, at(9)) == (ended, False)
    assert await database.read(jobs.get_execution, running.id) == ended
    found = await database.read(events.waiting, 10)
    assert [(event.kind, event.payload) for event in found] == [("execution.finished", {"execution": str(ended.id)})]


async def test_executions_are_listed_by_job_status_and_time(database: Database) -> None:
    ours = make_execution(ended_at=at(2))
    failed = make_execution(status=ExecutionStatus.FAILED, ended_at=at(3))
    other = make_execution(job_id=UUID(int=2), ended_at=at(4))
    for one in (ours, failed, other):
        await database.write(jobs.report, one, at(9))
    await database.write(jobs.keep, [make_execution()])

    async def found(**which: Any) -> list[UUID]:
        listing = await database.read(jobs.list_executions, HOME, ExecutionFilter(**which), Order("ended_at"), ALL)
        assert listing.total == len(listing.items)
        return [one.id for one in listing.items]

    assert await found() == [ours.id, failed.id, other.id]
    assert await found(job_ids=(JOB,)) == [ours.id, failed.id]
    assert await found(statuses=(ExecutionStatus.FAILED,)) == [failed.id]
    assert await found(ended_at=Span(at(2.5), at(3.5))) == [failed.id]
    assert await found(execution_id=other.id) == [other.id]


async def test_kept_execution_stays_as_it_was_told(database: Database) -> None:
    first = make_execution(rows=1)
    await database.write(jobs.keep, [first])
    await database.write(jobs.keep, [make_execution(id=first.id, rows=2)])
    assert await database.read(jobs.get_executions, [first.id, uuid7()]) == {first.id: first}
    assert await database.write(jobs.prune, at(2), 10) == 1


async def test_external_job_is_kept_changed_and_removed(database: Database) -> None:
    made = await database.write(jobs.create, make_job())
    with pytest.raises(Conflict):
        await database.write(jobs.create, make_job())
    assert await database.read(jobs.all_of, HOME) == (made,)
    await database.write(jobs.remove, HOME, made.id)
    with pytest.raises(NotFound):
        await database.read(jobs.get, HOME, made.id)


# ------------------------------------------------------------------------------------------------------------ webhooks


async def test_webhook_comes_back_as_it_was_kept(database: Database) -> None:
    full = make_webhook(
        method=Method.PATCH,
        header={"A": "b"},
        body={"a": [None, 1, "${{run.x}}"]},
        rules=(Rule(variable_name="STATUS", operation=Operation.IN, value=("FINISHED", "FAILED")),),
        any_of=((Rule(variable_name="ROWS", operation=Operation.IS_NULL),),),
        target=Target(kind=TargetKind.EMAIL, to=("a@b.test",)),
        max_per_second=0.5,
    )
    await database.write(webhooks.create, full)
    assert await database.read(webhooks.get, HOME, full.id) == full
    assert await database.read(webhooks.find, full.id) == full
    assert await database.read(webhooks.find, uuid7()) is None


async def test_webhooks_are_found_by_each_filter(database: Database) -> None:
    one = make_webhook("To Airflow", url="https://air.test/100%_x", jobs=(JOB, UUID(int=2)))
    two = make_webhook("to dbt", is_active=False, method=Method.PUT, jobs=(UUID(int=3), UUID(int=3)))
    for webhook in (one, two):
        await database.write(webhooks.create, webhook)

    async def found(**which: Any) -> list[str]:
        listing = await database.read(webhooks.list_webhooks, HOME, WebhookFilter(**which), Order("description"), ALL)
        return [webhook.description for webhook in listing.items]

    assert await found() == ["To Airflow", "to dbt"]
    assert await found(description="AIR") == ["To Airflow"]
    assert await found(is_active=False) == ["to dbt"]
    assert await found(job=UUID(int=2)) == ["To Airflow"]
    assert await found(method="put") == ["to dbt"]
    assert await found(url="%_") == ["To Airflow"]
    assert await database.read(webhooks.active) == (one,)


async def test_changed_webhook_listens_to_its_new_jobs(database: Database) -> None:
    made = await database.write(webhooks.create, make_webhook())
    changed = msgspec.structs.replace(made, jobs=(UUID(int=5),))
    await database.write(webhooks.update, changed)
    for job, count in ((JOB, 0), (UUID(int=5), 1)):
        which = WebhookFilter(job=job)
        assert (await database.read(webhooks.list_webhooks, HOME, which, Order("id"), ALL)).total == count


async def test_signing_keys_sign_until_they_are_retired(database: Database) -> None:
    webhook = await database.write(webhooks.create, make_webhook())
    old, new = (SigningKey(id=uuid7(), webhook_id=webhook.id, scheme="v1", created_at=at(n)) for n in (0, 1))
    await database.write(webhooks.add_key, old, "old")
    await database.write(webhooks.retire_keys, webhook.id, at(25))
    await database.write(webhooks.add_key, new, "new")
    assert await database.read(webhooks.signing_secrets, webhook.id, at(2)) == (("v1", "new"), ("v1", "old"))
    assert await database.read(webhooks.signing_secrets, webhook.id, at(25)) == (("v1", "new"),)
    await database.write(webhooks.delete_key, webhook.id, new.id)
    assert await database.read(webhooks.signing_secrets, webhook.id, at(25)) == ()
    with pytest.raises(NotFound):
        await database.write(webhooks.delete_key, webhook.id, new.id)


async def test_windows_are_due_in_their_order(database: Database) -> None:
    webhook = await database.write(webhooks.create, make_webhook())
    for key, hours in (("a", 2), ("b", 1), ("c", 3)):
        due = WebhookWindow(webhook_id=webhook.id, key=key, opened_at=at(0), due_at=at(hours))
        await database.write(webhooks.put_window, due)
    assert await database.read(webhooks.next_window) == at(1)
    assert [window.key for window in await database.read(webhooks.due_windows, at(2), 10)] == ["b", "a"]
    again = WebhookWindow(webhook_id=webhook.id, key="b", opened_at=at(0), due_at=at(9), count=4, seen=("x",))
    await database.write(webhooks.put_window, again)
    assert await database.read(webhooks.get_window, webhook.id, "b") == again
    await database.write(webhooks.close_window, webhook.id, "b")
    assert await database.read(webhooks.get_window, webhook.id, "b") is None


# ----------------------------------------------------------------------------------------------------- hooks and blocks


async def test_hook_is_found_by_its_name_with_its_secret(database: Database) -> None:
    hook = Hook(
        id=uuid7(), workspace_id=HOME, name="github", scheme=HookScheme.GITHUB, deployment="local", dag_id="d",
        conf={"a": "${{payload.b}}"}, created_at=at(0), updated_at=at(0),
    )  # fmt: skip
    await database.write(hooks.create, hook, "s3cret")
    assert await database.read(hooks.by_name, "github", at(0)) == (hook, ("s3cret",))
    await database.write(hooks.touch, hook.id, at(5))
    found, _ = await database.read(hooks.by_name, "github", at(5))
    assert found.last_used_at == at(5)
    with pytest.raises(Conflict):
        await database.write(hooks.create, msgspec.structs.replace(hook, id=uuid7()), "x")
    await database.write(hooks.delete, HOME, hook.id)
    with pytest.raises(NotFound):
        await database.read(hooks.by_name, "github", at(5))


async def test_secret_before_the_present_one_is_good_until_its_time(database: Database) -> None:
    hook = Hook(
        id=uuid7(), workspace_id=HOME, name="github", scheme=HookScheme.GITHUB, deployment="local", dag_id="d",
        created_at=at(0), updated_at=at(0),
    )  # fmt: skip
    await database.write(hooks.create, hook, "first")
    await database.write(hooks.update, msgspec.structs.replace(hook, previous_until=at(60)), "second")
    assert (await database.read(hooks.by_name, "github", at(59)))[1] == ("second", "first")
    assert (await database.read(hooks.by_name, "github", at(60)))[1] == ("second",)


async def test_block_windows_are_kept(database: Database) -> None:
    window = BlockWindow(
        id=uuid7(), workspace_id=HOME, name="night", weekdays=(1, 2), start=time(22), end=time(6, 30),
        created_at=at(0), updated_at=at(0),
    )  # fmt: skip
    await database.write(hooks.create_block, window)
    assert await database.read(hooks.blocks) == (window,)
    assert (await database.read(hooks.list_blocks, HOME, Order("name"), ALL)).items == (window,)
    await database.write(hooks.delete_block, HOME, window.id)
    assert await database.read(hooks.blocks) == ()


async def test_events_are_settled_once(database: Database) -> None:
    await database.write(jobs.report, make_execution(), at(9))
    (event,) = await database.read(events.waiting, 10)
    assert await database.write(events.settle, [event.seq]) == {event.seq}
    assert await database.write(events.settle, [event.seq]) == frozenset()
    assert await database.read(events.waiting, 10) == ()

"""Every method of every API class of Airflow's official client, called against a running server.

The client decodes what it is answered into its own models, and raises where an answer does not fit them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from airflow_client import client as airflow
from airflow_client.client import api as api_package
from airflow_client.client import models

from tests.acceptance.server import PASSWORD, USER, Server

FILES: Final = {
    "methods.py": """
from datetime import datetime
from airflow.sdk import DAG, Asset, task

with DAG("methods", schedule=None, tags=["t"], params={"n": 1}, description="words"):
    @task(outlets=[Asset("s3://bucket/made")])
    def make():
        return {"made": True}
    make()

with DAG("waits", schedule=[Asset("s3://bucket/made")]):
    @task
    def use():
        pass
    use()

with DAG("held", schedule=None):
    @task(pool="nowhere")
    def never():
        pass
    never()

with DAG("doomed", schedule=None):
    @task
    def nothing():
        pass
    nothing()
""",
    "broken.py": "from airflow.sdk import DAG\nraise ValueError('on purpose')\n",
}
URI: Final = "s3://bucket/made"


class World:
    """A server with a finished run, and the client's API classes."""

    def __init__(self, server: Server, connected: Any, run_id: str) -> None:
        self.server = server
        self.run_id = run_id
        self.apis = {name: kind(connected) for name, kind in API_CLASSES.items()}

    def __getattr__(self, name: str) -> Any:
        return self.apis[name]

    @property
    def token(self) -> str:
        return str(self.DAGApi.get_dag("methods").file_token)

    def run(self) -> str:
        """A new run that has finished."""
        made = self.DAGRunApi.post_dag_run("methods", models.DAGRun())
        self.server.finished("methods", made.dag_run_id)
        return str(made.dag_run_id)

    def pool(self) -> str:
        return str(self.PoolApi.post_pool(models.Pool(name=new_name(), slots=3)).name)

    def variable(self) -> str:
        return str(self.VariableApi.post_variables(models.Variable(key=new_name(), value="1")).key)

    def connection(self) -> str:
        asked = models.Connection(connection_id=new_name(), conn_type="http", extra='{"token": "t"}')
        return str(self.ConnectionApi.post_connection(asked).connection_id)

    def user(self) -> Any:
        return self.UserApi.post_user(user(new_name()))

    def role(self) -> str:
        return str(self.RoleApi.post_role(models.Role(name=new_name(), actions=[READ_DAGS])).name)


def _api_classes() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(api_package.__path__):
        module = importlib.import_module(f"{api_package.__name__}.{info.name}")
        found |= {name: kind for name, kind in inspect.getmembers(module, inspect.isclass) if name.endswith("Api")}
    return found


API_CLASSES: Final = _api_classes()
METHODS: Final = sorted(
    f"{name}.{method}"
    for name, kind in API_CLASSES.items()
    for method, _ in inspect.getmembers(kind, inspect.isfunction)
    if not method.startswith("_")
)
READ_DAGS: Final = models.ActionResource(action=models.Action(name="can_read"), resource=models.Resource(name="DAGs"))


def new_name() -> str:
    return f"n{uuid.uuid4().hex}"


def user(name: str) -> Any:
    roles = [models.UserCollectionItemRoles(name="Viewer")]
    known = {"username": name, "email": f"{name}@x.org", "first_name": "A", "last_name": "B", "password": "secret"}
    return models.User(**known, roles=roles)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("client")
    (folder / "dags").mkdir()
    for name, text in FILES.items():
        (folder / "dags" / name).write_text(text)
    with Server(dags=folder / "dags", data=folder / "data") as server:
        configuration = airflow.Configuration(host=f"{server.url}/api/v1", username=USER, password=PASSWORD)
        with airflow.ApiClient(configuration) as connected:
            for dag_id in ("methods", "waits", "held", "doomed"):
                server.wait_for_dag(dag_id)
            run_id = server.trigger("methods")
            server.finished("methods", run_id)
            yield World(server, connected, run_id)


def refused(status: int, call: Callable[[], Any]) -> None:
    """The call is refused, by design, and the client hears it in its own way."""
    with pytest.raises(airflow.ApiException) as heard:
        call()
    assert heard.value.status == status


def held(world: World) -> Any:
    """What keeps an instance whose pool does not exist."""
    run_id = world.server.trigger("held")
    instances = world.TaskInstanceApi

    def begun() -> Any:
        return instances.get_task_instances("held", run_id).task_instances

    def reasons() -> Any:
        found = instances.get_task_instance_dependencies("held", run_id, "never").dependencies
        return [reason for reason in found if reason.name == "Pool Slots Available"]

    world.server.until(begun, "the run begins")
    return world.server.until(reasons, "the instance waits for its pool")


def marks(new_state: str, run_id: str) -> Any:
    return models.UpdateTaskInstancesState(
        task_id="make", dag_run_id=run_id, new_state=models.UpdateTaskState(new_state), dry_run=True,
        include_upstream=False, include_downstream=False, include_future=False, include_past=False,
    )  # fmt: skip


def mark() -> Any:
    return models.UpdateTaskInstance(new_state=models.UpdateTaskState("failed"), dry_run=True)


def event_log(world: World) -> Any:
    world.pool()
    entry = world.EventLogApi.get_event_logs(event="api.post_pool", limit=1).event_logs[0]
    assert entry.owner == USER
    return world.EventLogApi.get_event_log(entry.event_log_id)


def import_error(world: World) -> Any:
    listed = world.server.until(
        lambda: world.ImportErrorApi.get_import_errors().import_errors, "the broken file is told"
    )
    found = world.ImportErrorApi.get_import_error(listed[0].import_error_id)
    assert "on purpose" in found.stack_trace
    return found


def delete_dag(world: World) -> None:
    assert world.DAGApi.delete_dag("doomed") is None


CALLS: Final[dict[str, Callable[[World], Any]]] = {
    "ConfigApi.get_config": lambda w: w.ConfigApi.get_config(),
    "ConfigApi.get_value": lambda w: w.ConfigApi.get_value("core", "parallelism"),
    "ConnectionApi.delete_connection": lambda w: w.ConnectionApi.delete_connection(w.connection()),
    "ConnectionApi.get_connection": lambda w: w.ConnectionApi.get_connection(w.connection()),
    "ConnectionApi.get_connections": lambda w: w.ConnectionApi.get_connections(order_by="connection_id"),
    "ConnectionApi.patch_connection": lambda w: w.ConnectionApi.patch_connection(
        w.connection(), models.Connection(login="me"), update_mask=["login"]
    ),
    "ConnectionApi.post_connection": lambda w: w.connection(),
    "ConnectionApi.test_connection": lambda w: refused(
        403, lambda: w.ConnectionApi.test_connection(models.Connection(connection_id="c", conn_type="http"))
    ),
    "DAGApi.delete_dag": delete_dag,
    "DAGApi.get_dag": lambda w: w.DAGApi.get_dag("methods"),
    "DAGApi.get_dag_details": lambda w: w.DAGApi.get_dag_details("waits"),
    "DAGApi.get_dag_source": lambda w: w.DAGApi.get_dag_source(w.token),
    "DAGApi.get_dags": lambda w: w.DAGApi.get_dags(tags=["t"], order_by="-dag_id", paused=False),
    "DAGApi.get_task": lambda w: w.DAGApi.get_task("methods", "make"),
    "DAGApi.get_tasks": lambda w: w.DAGApi.get_tasks("methods", order_by="-task_id"),
    "DAGApi.patch_dag": lambda w: w.DAGApi.patch_dag("waits", models.DAG(is_paused=True), update_mask=["is_paused"]),
    "DAGApi.patch_dags": lambda w: w.DAGApi.patch_dags("waits", models.DAG(is_paused=False)),
    "DAGApi.post_clear_task_instances": lambda w: w.DAGApi.post_clear_task_instances(
        "methods", models.ClearTaskInstances(dry_run=True, dag_run_id=w.run_id, only_failed=False)
    ),
    "DAGApi.post_set_task_instances_state": lambda w: w.DAGApi.post_set_task_instances_state(
        "methods", marks("failed", w.run_id)
    ),
    "DAGApi.reparse_dag_file": lambda w: w.DAGApi.reparse_dag_file(w.token),
    "DAGRunApi.clear_dag_run": lambda w: w.DAGRunApi.clear_dag_run(
        "methods", w.run_id, models.ClearDagRun(dry_run=True)
    ),
    "DAGRunApi.delete_dag_run": lambda w: w.DAGRunApi.delete_dag_run("methods", w.run()),
    "DAGRunApi.get_dag_run": lambda w: w.DAGRunApi.get_dag_run("methods", w.run_id),
    "DAGRunApi.get_dag_runs": lambda w: w.DAGRunApi.get_dag_runs("methods", limit=1, order_by="-start_date"),
    "DAGRunApi.get_dag_runs_batch": lambda w: w.DAGRunApi.get_dag_runs_batch(
        models.ListDagRunsForm(dag_ids=["methods"], states=["success"])
    ),
    "DAGRunApi.get_upstream_dataset_events": lambda w: w.DAGRunApi.get_upstream_dataset_events("methods", w.run_id),
    "DAGRunApi.post_dag_run": lambda w: w.DAGRunApi.post_dag_run("methods", models.DAGRun(conf={"n": 2}, note="x")),
    "DAGRunApi.set_dag_run_note": lambda w: w.DAGRunApi.set_dag_run_note(
        "methods", w.run_id, models.SetDagRunNote(note="seen")
    ),
    "DAGRunApi.update_dag_run_state": lambda w: w.DAGRunApi.update_dag_run_state(
        "methods", w.run(), models.UpdateDagRunState(state="failed")
    ),
    "DagStatsApi.get_dag_stats": lambda w: w.DagStatsApi.get_dag_stats("methods,waits"),
    "DagWarningApi.get_dag_warnings": lambda w: w.DagWarningApi.get_dag_warnings(order_by="dag_id"),
    "DatasetApi.create_dataset_event": lambda w: refused(
        400, lambda: w.DatasetApi.create_dataset_event(models.CreateDatasetEvent(dataset_uri=URI))
    ),
    "DatasetApi.delete_dag_dataset_queued_event": lambda w: refused(
        404, lambda: w.DatasetApi.delete_dag_dataset_queued_event("waits", URI)
    ),
    "DatasetApi.delete_dag_dataset_queued_events": lambda w: refused(
        404, lambda: w.DatasetApi.delete_dag_dataset_queued_events("waits")
    ),
    "DatasetApi.delete_dataset_queued_events": lambda w: refused(
        404, lambda: w.DatasetApi.delete_dataset_queued_events(URI)
    ),
    "DatasetApi.get_dag_dataset_queued_event": lambda w: refused(
        404, lambda: w.DatasetApi.get_dag_dataset_queued_event("waits", URI)
    ),
    "DatasetApi.get_dag_dataset_queued_events": lambda w: refused(
        404, lambda: w.DatasetApi.get_dag_dataset_queued_events("waits")
    ),
    "DatasetApi.get_dataset": lambda w: w.DatasetApi.get_dataset(URI),
    "DatasetApi.get_dataset_events": lambda w: w.DatasetApi.get_dataset_events(source_dag_id="methods"),
    "DatasetApi.get_dataset_queued_events": lambda w: refused(404, lambda: w.DatasetApi.get_dataset_queued_events(URI)),
    "DatasetApi.get_datasets": lambda w: w.DatasetApi.get_datasets(uri_pattern="bucket"),
    "DatasetApi.get_upstream_dataset_events": lambda w: w.DatasetApi.get_upstream_dataset_events("methods", w.run_id),
    "EventLogApi.get_event_log": event_log,
    "EventLogApi.get_event_logs": lambda w: w.EventLogApi.get_event_logs(order_by="-when", limit=5),
    "ImportErrorApi.get_import_error": import_error,
    "ImportErrorApi.get_import_errors": lambda w: w.ImportErrorApi.get_import_errors(order_by="-timestamp"),
    "MonitoringApi.get_health": lambda w: w.MonitoringApi.get_health(),
    "MonitoringApi.get_version": lambda w: w.MonitoringApi.get_version(),
    "PermissionApi.get_permissions": lambda w: w.PermissionApi.get_permissions(limit=3),
    "PluginApi.get_plugins": lambda w: w.PluginApi.get_plugins(),
    "PoolApi.delete_pool": lambda w: w.PoolApi.delete_pool(w.pool()),
    "PoolApi.get_pool": lambda w: w.PoolApi.get_pool("default_pool"),
    "PoolApi.get_pools": lambda w: w.PoolApi.get_pools(order_by="-slots"),
    "PoolApi.patch_pool": lambda w: w.PoolApi.patch_pool(w.pool(), models.Pool(slots=4), update_mask=["slots"]),
    "PoolApi.post_pool": lambda w: w.pool(),
    "ProviderApi.get_providers": lambda w: w.ProviderApi.get_providers(),
    "RoleApi.delete_role": lambda w: w.RoleApi.delete_role(w.role()),
    "RoleApi.get_role": lambda w: w.RoleApi.get_role("Viewer"),
    "RoleApi.get_roles": lambda w: w.RoleApi.get_roles(order_by="name"),
    "RoleApi.patch_role": lambda w: w.RoleApi.patch_role(w.role(), models.Role(name=new_name(), actions=[READ_DAGS])),
    "RoleApi.post_role": lambda w: w.role(),
    "TaskInstanceApi.get_extra_links": lambda w: w.TaskInstanceApi.get_extra_links("methods", w.run_id, "make"),
    "TaskInstanceApi.get_log": lambda w: w.TaskInstanceApi.get_log("methods", w.run_id, "make", 1),
    "TaskInstanceApi.get_mapped_task_instance": lambda w: refused(
        404, lambda: w.TaskInstanceApi.get_mapped_task_instance("methods", w.run_id, "make", 0)
    ),
    "TaskInstanceApi.get_mapped_task_instance_dependencies": lambda w: refused(
        404, lambda: w.TaskInstanceApi.get_mapped_task_instance_dependencies("methods", w.run_id, "make", 0)
    ),
    "TaskInstanceApi.get_mapped_task_instance_tries": lambda w: w.TaskInstanceApi.get_mapped_task_instance_tries(
        "methods", w.run_id, "make", 0
    ),
    "TaskInstanceApi.get_mapped_task_instance_try_details": lambda w: refused(
        404, lambda: w.TaskInstanceApi.get_mapped_task_instance_try_details("methods", w.run_id, "make", 0, 1)
    ),
    "TaskInstanceApi.get_mapped_task_instances": lambda w: refused(
        404, lambda: w.TaskInstanceApi.get_mapped_task_instances("methods", w.run_id, "make")
    ),
    "TaskInstanceApi.get_task_instance": lambda w: w.TaskInstanceApi.get_task_instance("methods", w.run_id, "make"),
    "TaskInstanceApi.get_task_instance_dependencies": held,
    "TaskInstanceApi.get_task_instance_tries": lambda w: w.TaskInstanceApi.get_task_instance_tries(
        "methods", w.run_id, "make"
    ),
    "TaskInstanceApi.get_task_instance_try_details": lambda w: w.TaskInstanceApi.get_task_instance_try_details(
        "methods", w.run_id, "make", 1
    ),
    "TaskInstanceApi.get_task_instances": lambda w: w.TaskInstanceApi.get_task_instances(
        "methods", w.run_id, state=["success"]
    ),
    "TaskInstanceApi.get_task_instances_batch": lambda w: w.TaskInstanceApi.get_task_instances_batch(
        models.ListTaskInstanceForm(dag_ids=["methods"])
    ),
    "TaskInstanceApi.patch_mapped_task_instance": lambda w: refused(
        404,
        lambda: w.TaskInstanceApi.patch_mapped_task_instance(
            "methods", w.run_id, "make", 0, update_task_instance=mark()
        ),
    ),
    "TaskInstanceApi.patch_task_instance": lambda w: w.TaskInstanceApi.patch_task_instance(
        "methods", w.run_id, "make", mark()
    ),
    "TaskInstanceApi.set_mapped_task_instance_note": lambda w: refused(
        404,
        lambda: w.TaskInstanceApi.set_mapped_task_instance_note(
            "methods", w.run_id, "make", 0, models.SetTaskInstanceNote(note="x")
        ),
    ),
    "TaskInstanceApi.set_task_instance_note": lambda w: w.TaskInstanceApi.set_task_instance_note(
        "methods", w.run_id, "make", models.SetTaskInstanceNote(note="x")
    ),
    "UserApi.delete_user": lambda w: w.UserApi.delete_user(w.user().username),
    "UserApi.get_user": lambda w: w.UserApi.get_user(USER),
    "UserApi.get_users": lambda w: w.UserApi.get_users(order_by="email"),
    "UserApi.patch_user": lambda w: w.UserApi.patch_user((one := w.user()).username, user(one.username)),
    "UserApi.post_user": lambda w: w.user(),
    "VariableApi.delete_variable": lambda w: w.VariableApi.delete_variable(w.variable()),
    "VariableApi.get_variable": lambda w: w.VariableApi.get_variable(w.variable()),
    "VariableApi.get_variables": lambda w: w.VariableApi.get_variables(order_by="-key"),
    "VariableApi.patch_variable": lambda w: w.VariableApi.patch_variable(
        name := w.variable(), models.Variable(key=name, value="2")
    ),
    "VariableApi.post_variables": lambda w: w.variable(),
    "XComApi.get_xcom_entries": lambda w: w.XComApi.get_xcom_entries("methods", w.run_id, "make"),
    "XComApi.get_xcom_entry": lambda w: w.XComApi.get_xcom_entry("methods", w.run_id, "make", "return_value"),
}


def test_no_method_is_forgotten() -> None:
    assert sorted(CALLS) == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_client_understands_what_its_method_is_answered(world: World, method: str) -> None:
    CALLS[method](world)

"""Airflow's official client for Airflow 2 drives the v1 core, models and all, against a running server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow_client import client as airflow
from airflow_client.client.api import (
    config_api,
    connection_api,
    dag_api,
    dag_run_api,
    import_error_api,
    monitoring_api,
    pool_api,
    task_instance_api,
    variable_api,
    x_com_api,
)
from airflow_client.client.model.clear_dag_run import ClearDagRun
from airflow_client.client.model.clear_task_instances import ClearTaskInstances
from airflow_client.client.model.connection import Connection
from airflow_client.client.model.dag import DAG
from airflow_client.client.model.dag_run import DAGRun
from airflow_client.client.model.list_dag_runs_form import ListDagRunsForm
from airflow_client.client.model.list_task_instance_form import ListTaskInstanceForm
from airflow_client.client.model.pool import Pool
from airflow_client.client.model.set_dag_run_note import SetDagRunNote
from airflow_client.client.model.set_task_instance_note import SetTaskInstanceNote
from airflow_client.client.model.update_dag_run_state import UpdateDagRunState
from airflow_client.client.model.update_task_instances_state import UpdateTaskInstancesState
from airflow_client.client.model.update_task_state import UpdateTaskState
from airflow_client.client.model.variable import Variable

from tests.acceptance.server import PASSWORD, USER, Server


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[Any]:
    configuration = airflow.Configuration(host=f"{server.url}/api/v1", username=USER, password=PASSWORD)
    with airflow.ApiClient(configuration) as connected:
        yield connected


@pytest.fixture
def run(server: Server, api: Any) -> Any:
    """A finished run of the DAG `hello`, as the client sees it."""
    server.wait_for_dag("hello")
    made = dag_run_api.DAGRunApi(api).post_dag_run("hello", DAGRun(conf={"name": "Ada"}))
    server.finished("hello", made.dag_run_id)
    return dag_run_api.DAGRunApi(api).get_dag_run("hello", made.dag_run_id)


def new_name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4()}"


def test_client_reads_dags(server: Server, api: Any) -> None:
    server.wait_for_dag("hello")
    dags = dag_api.DAGApi(api)
    listed = dags.get_dags(limit=1, tags=["example"], order_by="-dag_id", only_active=True)
    assert len(listed.dags) == 1
    assert listed.total_entries >= 1
    assert dags.get_dag("hello").dag_id == "hello"
    assert dags.get_dag_details("hello").params["name"]["value"] == "world"
    tasks = dags.get_tasks("hello").tasks
    assert [task.task_id for task in tasks] == ["compose", "greet"]
    assert dags.get_task("hello", "compose").downstream_task_ids == ["greet"]


def test_client_reads_the_source_of_a_dag(server: Server, api: Any) -> None:
    server.wait_for_dag("hello")
    token = dag_api.DAGApi(api).get_dag("hello").file_token
    source = dag_api.DAGApi(api).get_dag_source(token)
    assert "def hello()" in str(source)


def test_client_pauses_dags(server: Server, api: Any) -> None:
    server.wait_for_dag("etl")
    dags = dag_api.DAGApi(api)
    assert dags.patch_dag("etl", DAG(is_paused=True), update_mask=["is_paused"]).is_paused is True
    changed = dags.patch_dags("etl", DAG(is_paused=False))
    assert [dag.is_paused for dag in changed.dags] == [False]


def test_client_triggers_with_everything_it_can_say(server: Server, api: Any) -> None:
    server.wait_for_dag("hello")
    name = new_name("client")
    date = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(microseconds=uuid.uuid4().int % 10**12)
    asked = DAGRun(dag_run_id=name, logical_date=date, conf={"name": "Grace", "times": 2}, note="a note")
    made = dag_run_api.DAGRunApi(api).post_dag_run("hello", asked)
    assert (made.dag_run_id, made.logical_date, made.note) == (name, date, "a note")
    assert made.conf == {"name": "Grace", "times": 2}
    assert server.finished("hello", name)["state"] == "success"


def test_client_hears_of_a_run_that_exists(run: Any, api: Any) -> None:
    with pytest.raises(airflow.ApiException) as refused:
        dag_run_api.DAGRunApi(api).post_dag_run("hello", DAGRun(dag_run_id=run.dag_run_id))
    assert refused.value.status == 409


def test_client_hears_of_a_dag_that_does_not_exist(api: Any) -> None:
    with pytest.raises(airflow.ApiException) as refused:
        dag_run_api.DAGRunApi(api).post_dag_run("nope", DAGRun())
    assert refused.value.status == 404


def test_client_hears_of_a_conf_that_does_not_fit(server: Server, api: Any) -> None:
    server.wait_for_dag("hello")
    with pytest.raises(airflow.ApiException) as refused:
        dag_run_api.DAGRunApi(api).post_dag_run("hello", DAGRun(conf={"times": 99}))
    assert refused.value.status == 400
    assert "Invalid input for param times: 99 is greater than the maximum of 10" in str(refused.value.body)


def test_client_lists_runs(run: Any, api: Any) -> None:
    runs = dag_run_api.DAGRunApi(api)
    listed = runs.get_dag_runs("hello", limit=1, order_by="-start_date", state=["success"])
    assert listed.dag_runs[0].dag_id == "hello"
    form = ListDagRunsForm(dag_ids=["hello"], states=["success"], order_by="-id", page_limit=100)
    assert run.dag_run_id in [each.dag_run_id for each in runs.get_dag_runs_batch(form).dag_runs]


def test_client_changes_a_run(server: Server, run: Any, api: Any) -> None:
    runs = dag_run_api.DAGRunApi(api)
    assert runs.set_dag_run_note("hello", run.dag_run_id, SetDagRunNote(note="seen")).note == "seen"
    marked = runs.update_dag_run_state("hello", run.dag_run_id, UpdateDagRunState(state="failed"))
    assert str(marked.state) == "failed"
    runs.clear_dag_run("hello", run.dag_run_id, ClearDagRun(dry_run=False))
    assert server.finished("hello", run.dag_run_id)["state"] == "success"
    runs.delete_dag_run("hello", run.dag_run_id)
    with pytest.raises(airflow.ApiException) as gone:
        runs.get_dag_run("hello", run.dag_run_id)
    assert gone.value.status == 404


def test_client_reads_task_instances_tries_and_logs(run: Any, api: Any) -> None:
    instances = task_instance_api.TaskInstanceApi(api)
    listed = instances.get_task_instances("hello", run.dag_run_id)
    assert {str(each.state) for each in listed.task_instances} == {"success"}
    one = instances.get_task_instance("hello", run.dag_run_id, "greet")
    assert (one.try_number, one.map_index, one.dag_run_id) == (1, -1, run.dag_run_id)
    assert instances.get_task_instance_tries("hello", run.dag_run_id, "greet").total_entries == 1
    assert instances.get_task_instance_try_details("hello", run.dag_run_id, "greet", 1).try_number == 1
    form = ListTaskInstanceForm(dag_ids=["hello"], dag_run_ids=[run.dag_run_id], task_ids=["greet"])
    assert instances.get_task_instances_batch(form).total_entries == 1
    log = instances.get_log("hello", run.dag_run_id, "greet", 1, full_content=True)
    assert "Hello, Ada!" in str(log)


def test_client_reads_xcoms(run: Any, api: Any) -> None:
    xcoms = x_com_api.XComApi(api)
    listed = xcoms.get_xcom_entries("hello", run.dag_run_id, "compose")
    assert [entry.key for entry in listed.xcom_entries] == ["return_value"]
    entry = xcoms.get_xcom_entry("hello", run.dag_run_id, "compose", "return_value")
    assert entry.value == "Hello, Ada!"


def test_client_marks_notes_and_clears_task_instances(server: Server, run: Any, api: Any) -> None:
    dags, instances = dag_api.DAGApi(api), task_instance_api.TaskInstanceApi(api)
    noted = instances.set_task_instance_note("hello", run.dag_run_id, "greet", SetTaskInstanceNote(note="look"))
    assert noted.note == "look"
    mark = UpdateTaskInstancesState(
        task_id="greet", dag_run_id=run.dag_run_id, new_state=UpdateTaskState("failed"), dry_run=True,
        include_upstream=False, include_downstream=False, include_future=False, include_past=False,
    )  # fmt: skip
    would = dags.post_set_task_instances_state("hello", mark)
    assert [each.task_id for each in would.task_instances] == ["greet"]
    clear = ClearTaskInstances(
        dry_run=False, dag_run_id=run.dag_run_id, task_ids=["greet"], only_failed=False, reset_dag_runs=True
    )
    cleared = dags.post_clear_task_instances("hello", clear)
    assert [each.task_id for each in cleared.task_instances] == ["greet"]
    assert server.finished("hello", run.dag_run_id)["state"] == "success"
    again = instances.get_task_instance("hello", run.dag_run_id, "greet")
    assert again.try_number == 2


def test_client_keeps_pools(api: Any) -> None:
    pools, name = pool_api.PoolApi(api), new_name("pool")
    assert pools.post_pool(Pool(name=name, slots=3)).open_slots == 3
    assert pools.patch_pool(name, Pool(slots=4), update_mask=["slots"]).slots == 4
    assert name in [pool.name for pool in pools.get_pools(order_by="name").pools]
    assert pools.get_pool("default_pool").slots == 128
    pools.delete_pool(name)
    with pytest.raises(airflow.ApiException) as gone:
        pools.get_pool(name)
    assert gone.value.status == 404


def test_client_keeps_variables(api: Any) -> None:
    variables, name = variable_api.VariableApi(api), new_name("variable")
    assert variables.post_variables(Variable(key=name, value="1", description="one")).value == "1"
    assert variables.patch_variable(name, Variable(key=name, value="2")).value == "2"
    assert variables.get_variable(name).description == "one"
    assert variables.get_variables(order_by="key").total_entries >= 1
    variables.delete_variable(name)


def test_client_keeps_connections(api: Any) -> None:
    connections, name = connection_api.ConnectionApi(api), new_name("connection")
    asked = Connection(connection_id=name, conn_type="http", host="h", port=80, password="p", extra='{"token": "t"}')
    made = connections.post_connection(asked)
    assert (made.host, made.port, made.extra) == ("h", 80, '{"token": "***"}')
    changed = connections.patch_connection(name, Connection(connection_id=name, login="me"), update_mask=["login"])
    assert (changed.login, changed.host) == ("me", "h")
    assert name in [item.connection_id for item in connections.get_connections().connections]
    connections.delete_connection(name)


def test_client_reads_health_version_config_and_import_errors(api: Any) -> None:
    monitoring = monitoring_api.MonitoringApi(api)
    assert str(monitoring.get_health().metadatabase.status) == "healthy"
    assert monitoring.get_version().version == "2.11.2"
    assert config_api.ConfigApi(api).get_config() is not None
    assert import_error_api.ImportErrorApi(api).get_import_errors().total_entries == 0


def test_client_is_refused_with_a_wrong_password(server: Server) -> None:
    configuration = airflow.Configuration(host=f"{server.url}/api/v1", username=USER, password="wrong")
    with airflow.ApiClient(configuration) as stranger, pytest.raises(airflow.ApiException) as refused:
        dag_api.DAGApi(stranger).get_dags()
    assert refused.value.status == 401

"""Jobs end, and the requests of the printed quickstarts leave a real server: to receivers, and to Airgate itself."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from tests.acceptance.server import PASSWORD, USER, Server
from tests.support.tls_receiver import Authority, TlsReceiver, authority, tls_receiver

DAGS = {
    "webhooks.py": """
from airflow.sdk import dag, task


@dag(schedule=None)
def load():
    @task
    def move(**context):
        told = {"rows": 7, "columns": 3, "schema_name": "raw", "table_name": "orders"}
        context["ti"].xcom_push(key="airgate", value=told)

    move()


@dag(schedule=None)
def breaks():
    @task
    def move():
        raise RuntimeError("no source")

    move()


@dag(schedule=None)
def downstream():
    @task
    def work():
        pass

    work()


load()
breaks()
downstream()
"""
}
WORKSPACE = f"/developers/workspaces/{DEFAULT_WORKSPACE_ID}/"

# As printed, but for ids, and for the hosts of services: those are receivers here.
AIRFLOW = """
{
  "description": "Trigger Airflow DAG run on success job execution",
  "is_active": true,
  "method": "POST",
  "url": "https://${{variables.airflow_url}}/api/v1/dags/${{variables.airflow_dag_id}}/dagRuns",
  "header": {
    "Authorization": "Basic ${{secrets.airflow_base64_token}}"
  },
  "body": {
    "conf": {
      "schema": "${{erathos.schema_name}}",
      "table": "${{erathos.table_name}}"
    },
    "note": "triggered on Erathos platform by ${{erathos.triggered_by}}"
  },
  "rules": [
    {
      "variable_name": "STATUS",
      "operation": "EQUAL",
      "value": "FINISHED"
    },
  ],
  "jobs": [
    "<ERATHOS_JOB1_ID>"
  ]
}
"""
DBT = """
{
  "description": "Trigger DBT job run on Cloud",
  "is_active": true,
  "method": "POST",
  "url": "https://cloud.getdbt.com/api/v2/accounts/${{variables.dbt_account_id}}/jobs/4711/run/",
  "header": {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Authorization": "Bearer ${{secrets.dbt_personal_token}}"
  },
  "body": {
    "cause": "finished job on Erathos platform triggered by ${{erathos.triggered_by}}"
  },
  "rules": [],
  "jobs": [
    "<ERATHOS_JOB1_ID>",
  ]
}
"""
PREFECT = """
{
  "description": "Create Prefect Cloud flow run",
  "is_active": true,
  "method": "POST",
  "url": "https://api.prefect.cloud/api/accounts/${{variables.account_id}}/workspaces/${{variables.workspace_id}}/flow_runs/",
  "header": {
    "Content-Type": "application/json",
    "Authorization": "Bearer ${{secrets.prefect_api_key}}",
    "x-prefect-api-version": "${{variables.prefect_api_version}}"
  },
  "body": {
    "name": "erathos_run_${{erathos.table_name}}",
    "flow_id": "${{variables.prefect_flow_id}}",
    "idempotency_key": "${{erathos.execution_id}}"
  },
  "rules": [],
  "jobs": [
    "<ERATHOS_JOB1_ID>",
  ]
}
"""


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.fixture
def receiver(trusted: Authority) -> Iterator[TlsReceiver]:
    with tls_receiver(trusted.server) as one:
        yield one


@pytest.fixture
def server(start: Callable[..., Server], trusted: Authority) -> Server:
    """A server that trusts the authority, and may send to this machine."""
    started = start(DAGS, AIRGATE_WEBHOOKS_AUTHORITIES=str(trusted.certificates))
    for dag_id in ("load", "breaks", "downstream"):
        started.wait_for_dag(dag_id)
    ask(started, "PATCH", WORKSPACE, {"private_targets": ["127.0.0.0/8", "::1/128"]})
    return started


def ask(server: Server, method: str, path: str, body: Any = None, *, expect: str = "2") -> Any:
    """What curl is answered, whose status must begin like this."""
    command = ["curl", "-sS", "-X", method, server.url + path, "-w", "\n%{http_code}"]
    command += ["-H", f"Authorization: Api-Key {server.token}", "-H", "Content-Type: application/json"]
    if body is not None:
        command += ["--data-binary", body if isinstance(body, str) else json.dumps(body)]
    text, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
    assert status.startswith(expect), (path, status, text)
    return json.loads(text) if text else None


def below(server: Server, path: str, body: Any = None, method: str = "POST") -> Any:
    return ask(server, method, WORKSPACE + path, body)


def job_of(server: Server, dag_id: str) -> str:
    (job,) = below(server, f"jobs/?dag_id={dag_id}", method="GET")["results"]
    return str(job["_id"])


def keep(server: Server, noun: str, **values: str) -> None:
    for name, value in values.items():
        below(server, f"{noun}/", {"name": name, "value": value})


def create(server: Server, payload: str, dag_id: str, **hosts: str) -> dict[str, Any]:
    """The webhook of a printed payload."""
    text = payload.replace("<ERATHOS_JOB1_ID>", job_of(server, dag_id))
    for printed, meant in {"cloud.getdbt.com": hosts.get("dbt"), "api.prefect.cloud": hosts.get("prefect")}.items():
        text = text if meant is None else text.replace(printed, meant)
    made: dict[str, Any] = below(server, "orchestration/webhooks/", text)
    return made


def delivered(server: Server, webhook: dict[str, Any]) -> dict[str, Any]:
    """The first delivery of a webhook, once it has arrived."""

    def arrived() -> dict[str, Any] | None:
        listed = below(server, f"orchestration/webhooks/{webhook['_id']}/deliveries/", method="GET")["results"]
        return listed[-1] if listed and listed[-1]["state"] == "delivered" else None

    return server.until(arrived, f"{webhook['description']} is delivered")


def test_airflow_quickstart_starts_a_dag_of_airgate_itself(server: Server, trusted: Authority) -> None:
    token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with tls_receiver(trusted.server, behind=server.url) as airflow:
        keep(server, "variables", airflow_url=airflow.host, airflow_dag_id="downstream")
        keep(server, "secrets", airflow_base64_token=token)
        webhook = create(server, AIRFLOW, "load")
        server.trigger("load")
        came = airflow.next()
        delivery = delivered(server, webhook)
    assert came.headers["authorization"] == f"Basic {token}"
    assert came.headers["webhook-id"] == delivery["_id"]
    (run,) = server.get("/dags/downstream/dagRuns")["dag_runs"]
    assert run["conf"] == {"schema": "raw", "table": "orders"}
    assert run["note"] == f"triggered on Erathos platform by {USER}"
    assert server.finished("downstream", run["dag_run_id"])["state"] == "success"
    shown = json.dumps(below(server, f"orchestration/deliveries/{delivery['_id']}/", method="GET"))
    assert token not in shown
    assert token not in server.log.read_text()


def test_dbt_and_prefect_quickstarts_send_what_these_services_document(server: Server, receiver: TlsReceiver) -> None:
    keep(server, "variables", dbt_account_id="42", account_id="a-1", workspace_id="w-1", prefect_api_version="0.8.4")
    keep(server, "variables", prefect_flow_id="f-1")
    keep(server, "secrets", dbt_personal_token="dbt-token", prefect_api_key="prefect-key")
    dbt = create(server, DBT, "load", dbt=receiver.host)
    prefect = create(server, PREFECT, "load", prefect=receiver.host)
    run_id = server.trigger("load")
    came = {one.path: one for one in (receiver.next(), receiver.next())}
    first = came["/api/v2/accounts/42/jobs/4711/run/"]
    assert json.loads(first.body) == {"cause": f"finished job on Erathos platform triggered by {USER}"}
    wanted = {"content-type": "application/json", "accept": "application/json", "authorization": "Bearer dbt-token"}
    assert wanted.items() <= first.headers.items()
    second = came["/api/accounts/a-1/workspaces/w-1/flow_runs/"]
    wanted = {"x-prefect-api-version": "0.8.4", "authorization": "Bearer prefect-key"}
    assert wanted.items() <= second.headers.items()
    (execution,) = below(server, f"jobs/{job_of(server, 'load')}/executions/", method="GET")["results"]
    assert execution["run"]["run_id"] == run_id
    assert (execution["rows"], execution["columns"], execution["table_name"]) == (7, 3, "orders")
    assert json.loads(second.body) == {
        "name": "erathos_run_orders",
        "flow_id": "f-1",
        "idempotency_key": execution["execution_id"],
    }
    assert {delivered(server, one)["attempts"] for one in (dbt, prefect)} == {1}


def test_rules_on_what_a_run_has_told_choose_what_is_sent(server: Server, receiver: TlsReceiver) -> None:
    def webhook(description: str, dag_id: str, *rules: tuple[str, str, str]) -> None:
        body = {
            "description": description, "is_active": True, "method": "POST", "url": f"https://{receiver.host}/",
            "body": {"what": description, "failed": "${{run.failed_tasks}}", "rows": "${{erathos.status}}"},
            "rules": [dict(zip(("variable_name", "operation", "value"), rule, strict=True)) for rule in rules],
            "jobs": [job_of(server, dag_id)],
        }  # fmt: skip
        below(server, "orchestration/webhooks/", body)

    webhook("too few rows", "load", ("ROWS", "GREATER_THAN", "7"))
    webhook("enough rows", "load", ("ROWS", "GREATER_THAN", "6"), ("TABLE_NAME", "IN", ["orders"]))  # type: ignore[arg-type]
    webhook("succeeded", "breaks", ("STATUS", "EQUAL", "FINISHED"))
    webhook("failed", "breaks", ("STATUS", "EQUAL", "FAILED"))
    server.trigger("load")
    assert json.loads(receiver.next().body) == {"what": "enough rows", "failed": [], "rows": "FINISHED"}
    server.trigger("breaks")
    assert json.loads(receiver.next().body) == {"what": "failed", "failed": ["move"], "rows": "FAILED"}
    assert below(server, "orchestration/deliveries/", method="GET")["count"] == 2


def test_receiver_whose_certificate_nobody_vouches_for_gets_nothing(
    start: Callable[..., Server], receiver: TlsReceiver
) -> None:
    server = start(DAGS)
    server.wait_for_dag("load")
    ask(server, "PATCH", WORKSPACE, {"private_targets": ["127.0.0.0/8", "::1/128"]})
    keep(server, "variables", dbt_account_id="42")
    keep(server, "secrets", dbt_personal_token="dbt-token")
    webhook = create(server, DBT, "load", dbt=receiver.host)
    shown = below(server, f"orchestration/webhooks/{webhook['_id']}/test/", {"send": True})
    assert "certificate" in shown["error"].lower()
    assert receiver.came.empty()

"""The Airflow quickstart against a real Airflow 2.11.2: a run starts there, with the right conf and note."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from tests.acceptance.server import USER as OURS
from tests.acceptance.server import Server
from tests.acceptance.test_webhooks import AIRFLOW, WORKSPACE, ask, below, delivered, keep
from tests.conformance.wire.beside import dag_files
from tests.conformance.wire.exchange import Request
from tests.conformance.wire.real import PASSWORD, USER, CannotInstall, RealAirflow, environment
from tests.conformance.wire.stable_v1 import PREFIX, RELEASE
from tests.support.tls_receiver import authority, tls_receiver

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900), pytest.mark.xdist_group("wire-v1")]


def test_airflow_quickstart_starts_a_run_of_airflow(tmp_path: Path) -> None:
    try:
        environment(RELEASE)
    except CannotInstall as reason:
        pytest.skip(f"Airflow {RELEASE.version} cannot be installed: {reason}")
    trusted, dags = authority(tmp_path), tmp_path / "dags"
    dags.mkdir()
    theirs = RealAirflow(RELEASE, PREFIX, dag_files(tmp_path / "airflow-dags"), tmp_path / "airflow")
    settings = {"AIRGATE_WEBHOOKS_AUTHORITIES": str(trusted.certificates)}
    ours = Server(dags=dags, data=tmp_path / "data", environment=settings)
    with theirs, ours, tls_receiver(trusted.server, behind=f"http://127.0.0.1:{theirs.port}") as airflow:
        ask(ours, "PATCH", WORKSPACE, {"private_targets": ["127.0.0.0/8", "::1/128"]})
        keep(ours, "variables", airflow_url=airflow.host, airflow_dag_id="hello")
        keep(ours, "secrets", airflow_base64_token=b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        job = below(ours, "jobs/", {"name": "load", "schema_name": "raw", "table_name": "orders"})["_id"]
        webhook = below(ours, "orchestration/webhooks/", AIRFLOW.replace("<ERATHOS_JOB1_ID>", job))
        below(ours, f"jobs/{job}/executions/", {"status": "FAILED"})
        below(ours, f"jobs/{job}/executions/", {"status": "FINISHED", "rows": 7})
        assert delivered(ours, webhook)["last_status"] == 200
        listed = theirs.send(Request(operation="runs", method="GET", path="/dags/hello/dagRuns"))
    (run,) = listed.json["dag_runs"]
    assert run["conf"] == {"schema": "raw", "table": "orders"}
    assert run["note"] == f"triggered on Erathos platform by {OURS}"
    assert run["run_type"] == "manual"

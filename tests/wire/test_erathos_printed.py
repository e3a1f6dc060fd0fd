"""The examples of docs/webhooks.md, as printed, and the quickstarts that they promise to take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airgate.model.job import dag_job_id
from tests.acceptance.test_webhooks import AIRFLOW, DBT, PREFECT
from tests.support.erathos_world import ErathosWorld
from tests.support.native_world import LOCAL

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
EXAMPLES = re.findall(r"```http\n(\w+) (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def test_every_example_of_the_documentation_is_taken(erathos: ErathosWorld) -> None:
    assert len(EXAMPLES) == 12
    names = {"JOB": str(dag_job_id(LOCAL, "nosched"))}
    async with erathos.client() as client:
        for method, path, body in EXAMPLES:
            text = re.sub("|".join(names), lambda match: names[match.group()], f"{path}\n{body}")
            path_now, _, body_now = text.partition("\n")
            answer = await client.ask(method, path_now, body_now.strip().encode() or None, headers=JSON)
            assert "detail" not in answer, (path, answer)
            assert client.status in (200, 201), (path, answer)
            if path.endswith("/jobs/"):
                names["JOB"] = answer["_id"]
            if path.endswith("/webhooks/"):
                names["WEBHOOK"] = answer["_id"]


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("payload", "url"),
    [
        (AIRFLOW, "https://airflow.example.com:8080/api/v1/dags/target/dagRuns"),
        (DBT, "https://cloud.getdbt.com/api/v2/accounts/42/jobs/4711/run/"),
        (PREFECT, "https://api.prefect.cloud/api/accounts/a-1/workspaces/w-1/flow_runs/"),
    ],
    ids=["airflow", "dbt", "prefect"],
)
async def test_quickstart_is_taken_as_printed(erathos: ErathosWorld, payload: str, url: str) -> None:
    variables = {
        "airflow_url": "airflow.example.com:8080",
        "airflow_dag_id": "target",
        "dbt_account_id": "42",
        "account_id": "a-1",
        "workspace_id": "w-1",
        "prefect_api_version": "0.8.4",
        "prefect_flow_id": "f",
    }
    async with erathos.client() as client:
        for name, value in variables.items():
            await client.post("variables/", {"name": name, "value": value})
        for name in ("airflow_base64_token", "dbt_personal_token", "prefect_api_key"):
            await client.post("secrets/", {"name": name, "value": "planted-secret"})
        text = payload.replace("<ERATHOS_JOB1_ID>", await client.job()).encode()
        made = await client.post("orchestration/webhooks/", text, headers=JSON)
        shown: dict[str, Any] = await client.post(f"orchestration/webhooks/{made['_id']}/test/", expect=200)
    assert shown["request"]["url"] == url
    assert shown["error"] is None
    assert "planted-secret" not in json.dumps(erathos.answers)

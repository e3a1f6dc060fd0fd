"""The smallest useful DAG: greet whoever the trigger names.

curl -X POST .../api/v1/dags/hello/dagRuns -H 'Content-Type: application/json' -d '{"conf": {"name": "Ada"}}'
"""

from __future__ import annotations

import pendulum

try:  # Airflow 3
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param


@dag(
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    tags=["example"],
    params={
        "name": Param("world", type="string", minLength=1, description="Who is greeted."),
        "times": Param(1, type="integer", minimum=1, maximum=10, description="How often."),
    },
)
def hello():
    @task
    def compose(params: dict | None = None) -> str:
        return f"Hello, {params['name']}!"

    @task
    def greet(sentence: str, params: dict | None = None) -> int:
        for _ in range(params["times"]):
            print(sentence)
        return len(sentence)

    greet(compose())


hello()

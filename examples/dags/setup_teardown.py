"""A resource that is made before the work and removed after it, whether or not the work succeeds."""

from __future__ import annotations

import pendulum

try:  # Airflow 3
    from airflow.sdk import Param, dag, setup, task, teardown
except ImportError:  # Airflow 2
    from airflow.decorators import dag, setup, task, teardown
    from airflow.models.param import Param


@dag(
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    tags=["example"],
    params={"fail": Param(False, type="boolean", description="Let the work fail, to see the cluster removed anyway.")},
)
def setup_teardown():
    @setup
    def create_cluster() -> str:
        return "cluster-1"

    @task
    def work(cluster: str, params: dict | None = None) -> None:
        if params["fail"]:
            raise RuntimeError(f"the work on {cluster} went wrong, as asked")
        print(f"worked on {cluster}")

    @teardown
    def delete_cluster(cluster: str) -> None:
        print(f"deleted {cluster}")

    cluster = create_cluster()
    work(cluster) >> delete_cluster(cluster)


setup_teardown()

"""A DAG that makes a dataset, and one that waits for it, where Airflow has them."""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, Asset
except ImportError:
    try:
        from airflow import DAG
        from airflow.datasets import Dataset as Asset
    except ImportError:
        Asset = None

if Asset is not None:
    try:
        from airflow.providers.standard.operators.empty import EmptyOperator
    except ImportError:
        from airflow.operators.empty import EmptyOperator

    START = datetime(2021, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - for Python 3.8 too
    thing = Asset("s3://bucket/thing")
    with DAG("makes", schedule=None, start_date=START) as makes:
        EmptyOperator(task_id="make", outlets=[thing])
    with DAG("waits", schedule=[thing], start_date=START) as waits:
        EmptyOperator(task_id="use")

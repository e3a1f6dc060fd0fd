"""What Airflow's worker does once before it runs tasks, done once for the whole tree."""

from __future__ import annotations

from functools import lru_cache

from airflow.sdk._shared.observability.metrics import stats
from airflow.sdk.configuration import conf
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.supervisor import block_orm_access
from airflow.sdk.observability.metrics import stats_utils


def share_type_adapters() -> None:
    """Keep the validators that Airflow's task runner makes anew for every templated field.

    Making one takes a third of the time of a small task; they hold no state.
    """
    make = getattr(task_runner, "TypeAdapter", None)
    if make is not None:
        task_runner.TypeAdapter = lru_cache(maxsize=64)(make)


def forbid_database() -> None:
    """Keep DAG code from Airflow's metadata database, with Airflow's own words."""
    block_orm_access()


def initialise_stats() -> None:
    """Let Airflow's metrics go where its configuration says."""
    stats.initialize(
        factory=stats_utils.get_stats_factory(),
        export_legacy_names=conf.getboolean("metrics", "legacy_names_on"),
    )

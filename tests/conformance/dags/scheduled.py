"""Runs that a timetable makes: dates lie in the past, so that the outcome is fixed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG, CronTriggerTimetable, DeltaTriggerTimetable, MultipleCronTriggerTimetable, task

START = datetime(2024, 1, 1, tzinfo=UTC)


def seen(context_keys=("logical_date", "data_interval_start", "data_interval_end", "run_id")):
    @task
    def show(**context):
        return [str(context.get(key)) for key in context_keys]

    return show()


def between(dag_id, schedule, end, start=START, **arguments):
    with DAG(dag_id, schedule=schedule, start_date=start, end_date=end, **{"catchup": True, **arguments}) as made:
        seen()
    return made


cron = between("schedule_cron", "0 6 * * *", datetime(2024, 1, 3, 23, tzinfo=UTC))
preset = between("schedule_preset", "@weekly", datetime(2024, 1, 20, tzinfo=UTC))
monthly = between("schedule_monthly", "@monthly", datetime(2024, 3, 1, tzinfo=UTC))
delta = between("schedule_timedelta", timedelta(hours=8), datetime(2024, 1, 1, 16, tzinfo=UTC))
once = between("schedule_once", "@once", None)
trigger = between(
    "schedule_cron_trigger", CronTriggerTimetable("30 4 * * *", timezone="UTC"), datetime(2024, 1, 3, tzinfo=UTC)
)
interval = between(
    "schedule_cron_trigger_interval",
    CronTriggerTimetable("0 0 * * 1", timezone="UTC", interval=timedelta(days=4)),
    datetime(2024, 1, 16, tzinfo=UTC),
)
delta_trigger = between(
    "schedule_delta_trigger", DeltaTriggerTimetable(timedelta(days=2)), datetime(2024, 1, 5, tzinfo=UTC)
)
several = between(
    "schedule_multiple_cron",
    MultipleCronTriggerTimetable("0 6 * * *", "0 18 * * *", timezone="UTC"),
    datetime(2024, 1, 2, 12, tzinfo=UTC),
)
zone = between(
    "schedule_summer_time",
    "0 3 * * *",
    pendulum.datetime(2024, 4, 1, 12, tz="Europe/Berlin"),
    start=pendulum.datetime(2024, 3, 30, tz="Europe/Berlin"),
)
one_at_a_time = between("schedule_one_run_at_a_time", "@daily", datetime(2024, 1, 3, tzinfo=UTC), max_active_runs=1)

with DAG(
    "schedule_depends_on_past",
    schedule="@daily",
    start_date=START,
    end_date=datetime(2024, 1, 3, tzinfo=UTC),
    catchup=True,
):
    EmptyOperator(task_id="work", depends_on_past=True, wait_for_downstream=True) >> EmptyOperator(task_id="after")

with DAG(
    "schedule_latest_only", schedule="@daily", start_date=START, end_date=datetime(2024, 1, 2, tzinfo=UTC), catchup=True
):
    LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="below")

with DAG(
    "schedule_task_dates", schedule="@daily", start_date=START, end_date=datetime(2024, 1, 3, tzinfo=UTC), catchup=True
):
    EmptyOperator(task_id="always")
    EmptyOperator(task_id="from_the_second", start_date=datetime(2024, 1, 2, tzinfo=UTC))
    EmptyOperator(task_id="until_the_first", end_date=datetime(2024, 1, 1, tzinfo=UTC))

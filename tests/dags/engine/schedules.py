"""Small DAGs for the acceptance tests: schedules."""

import datetime as dt

import pendulum
from airflow.sdk import DAG, task
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

START = pendulum.datetime(2024, 1, 1, tz="UTC")


class EveryTwoSeconds(Timetable):
    """A timetable of the DAG file's own, quick enough to wait for."""

    description = "every two seconds"

    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(run_after.subtract(seconds=2), run_after)

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        if last_automated_data_interval is None:
            start = pendulum.now("UTC").start_of("second")
        else:
            start = last_automated_data_interval.end
        if not restriction.catchup:
            start = max(start, pendulum.now("UTC").start_of("second").subtract(seconds=2))
        return DagRunInfo.interval(start, start.add(seconds=2))


class Sometimes(Timetable):
    """One that fails."""

    def infer_manual_data_interval(self, *, run_after):
        raise RuntimeError("no idea")

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        raise RuntimeError("cannot tell")


def make(dag_id, **options):
    with DAG(dag_id, **{"start_date": START, **options}):

        @task
        def noop():
            pass

        noop()


make("daily_catching_up", schedule="@daily", end_date=START.add(days=3), catchup=True)
make("cron_catching_up", schedule="30 4 * * *", end_date=START.add(days=2), catchup=True)
make("hourly_now", schedule=dt.timedelta(hours=1), catchup=False)
make("ended_long_ago", schedule="@daily", end_date=START.add(days=1), catchup=False)
make("once", schedule="@once")
make("own_timetable", schedule=EveryTwoSeconds(), catchup=False)
make("failing_timetable", schedule=Sometimes())
make("without_break", schedule="@continuous", max_active_runs=1, is_paused_upon_creation=True)
make("paused_schedule", schedule="@once", is_paused_upon_creation=True)

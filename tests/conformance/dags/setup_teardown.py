"""Setup and teardown, in all the ways they can go wrong."""

from __future__ import annotations

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, dag, setup, task, teardown
from airflow.sdk.exceptions import AirflowSkipException


def ends(task_id, well=True, **arguments):
    return BashOperator(task_id=task_id, bash_command="true" if well else "exit 1", **arguments)


def triple(dag_id, *, make=True, work=True, remove=True, decides=False):
    """setup >> work >> teardown, with those failing that are named False."""
    with DAG(dag_id, schedule=None) as made:
        first = ends("make", make).as_setup()
        middle = ends("work", work)
        last = ends("remove", remove).as_teardown(setups=first, on_failure_fail_dagrun=decides)
        first >> middle >> last
    return made


all_good = triple("teardown_all_good")
setup_fails = triple("teardown_setup_fails", make=False)
work_fails = triple("teardown_work_fails", work=False)
teardown_fails = triple("teardown_fails", remove=False)
teardown_decides = triple("teardown_fails_and_decides", remove=False, decides=True)
work_and_teardown_fail = triple("teardown_work_and_teardown_fail", work=False, remove=False)

with DAG("teardown_not_the_last", schedule=None):
    first = ends("make").as_setup()
    last = ends("remove", well=False).as_teardown(setups=first)
    first >> ends("work") >> last >> ends("after_teardown")

with DAG("teardown_skipped_setup", schedule=None):

    @task
    def skip_it():
        raise AirflowSkipException

    first = skip_it.override(task_id="make")().operator.as_setup()
    last = ends("remove").as_teardown(setups=first)
    first >> ends("work") >> last

with DAG("teardown_two_setups", schedule=None):
    one, two = ends("make_one").as_setup(), ends("make_two", well=False).as_setup()
    last = ends("remove").as_teardown(setups=[one, two])
    [one, two] >> ends("work") >> last

with DAG("teardown_two_setups_both_fail", schedule=None):
    one, two = ends("make_one", well=False).as_setup(), ends("make_two", well=False).as_setup()
    last = ends("remove").as_teardown(setups=[one, two])
    [one, two] >> ends("work") >> last

with DAG("teardown_group", schedule=None):
    with TaskGroup("rented") as rented:
        first = ends("make").as_setup()
        last = ends("remove", well=False).as_teardown(setups=first)
        first >> ends("work") >> last
    # Teardowns do not count as leaves of the group: `after` waits for `work` alone.
    rented >> ends("after")

with DAG("teardown_context_manager", schedule=None):
    with ends("remove").as_teardown(setups=ends("make").as_setup()) as last:
        last.add_task(ends("added"))
        ends("inside") >> ends("inside_too")
    ends("outside")

with DAG("teardown_nested", schedule=None):
    outer, inner = ends("make_outer").as_setup(), ends("make_inner", well=False).as_setup()
    drop_inner = ends("remove_inner").as_teardown(setups=inner)
    drop_outer = ends("remove_outer").as_teardown(setups=outer)
    outer >> inner >> ends("work") >> drop_inner >> drop_outer

with DAG("teardown_branch_skips_work", schedule=None):
    first = ends("make").as_setup()

    @task.branch
    def choose():
        return "other"

    work, other = ends("work"), ends("other")
    last = ends("remove").as_teardown(setups=first)
    first >> choose() >> [work, other]
    work >> last

with DAG("teardown_alone", schedule=None):
    ends("work", well=False) >> ends("remove").as_teardown()

with DAG("teardown_retries", schedule=None):
    first = ends("make").as_setup()
    last = BashOperator(
        task_id="remove", bash_command="test {{ ti.try_number }} = 2", retries=1, retry_delay=0.5
    ).as_teardown(setups=first)
    first >> ends("work") >> last

with DAG("teardown_only_teardown_good", schedule=None):
    first = ends("make", well=False).as_setup()
    last = ends("remove").as_teardown(setups=first)
    first >> last


@dag(schedule=None)
def teardown_decorated():
    @setup
    def make():
        return "thing-1"

    @teardown(on_failure_fail_dagrun=True)
    def remove(thing):
        return f"removed {thing}"

    @task
    def work(thing):
        return f"used {thing}"

    thing = make()
    with remove(thing):
        work(thing) >> EmptyOperator(task_id="and_then")


teardown_decorated()

"""What tasks hand to each other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException


@dag(schedule=None)
def xcom_taskflow():
    @task
    def numbers():
        return [1, 2, 3]

    @task
    def total(values):
        return sum(values)

    @task(multiple_outputs=True)
    def both(values, added):
        return {"count": len(values), "sum": added}

    @task
    def typed() -> dict:
        return {"plain": True}

    @task
    def typed_values() -> dict[str, int]:
        return {"first": 1, "second": 2}

    @task
    def say(count, added, first):
        return f"{count} numbers, {added} together, {first}"

    values = numbers()
    result = both(values, total(values))
    say(result["count"], result["sum"], typed_values()["first"])
    typed()


@dag(schedule=None)
def xcom_keys():
    @task
    def push(ti=None):
        ti.xcom_push(key="a", value=1)
        ti.xcom_push(key="b", value={"nested": [1, {"deep": None}]})
        ti.xcom_push(key="a", value="overwritten")
        ti.xcom_push(key="a key with spaces", value="odd")
        return "returned"

    @task
    def other():
        return "other"

    @task
    def pull(ti=None):
        return {
            "by_key": ti.xcom_pull(task_ids="push", key="b"),
            "returned": ti.xcom_pull(task_ids="push"),
            "many": ti.xcom_pull(task_ids=["push", "other"]),
            "missing": ti.xcom_pull(task_ids="push", key="nothing"),
            "default": ti.xcom_pull(task_ids="push", key="nothing", default="fallback"),
            "overwritten": ti.xcom_pull(task_ids="push", key="a"),
            "many_missing": ti.xcom_pull(task_ids=["push", "other"], key="a"),
            "no_such_task": ti.xcom_pull(task_ids="never_heard_of"),
        }

    [push(), other()] >> pull()


@dag(schedule=None)
def xcom_values():
    made = {
        "text": 'ünïcödé ✓ "quotes" \n lines',
        "empty": "",
        "zero": 0,
        "big": 2**53 + 1,
        "huge": 10**30,
        "real": 1.5,
        "yes": True,
        "no": False,
        "listed": [],
        "mapped": {},
        "nested": {"a": [1, "2", None, {"b": [True]}]},
    }

    @task
    def give(name):
        return made[name]

    @task
    def nothing():
        return None

    @task(do_xcom_push=False)
    def silent():
        return "not kept"

    for name in made:
        give.override(task_id=f"give_{name}")(name)
    nothing()
    silent()


@dag(schedule=None)
def xcom_rich_values():
    @task
    def give():
        return [datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC), timedelta(hours=1), (1, 2), {"x"}, Decimal("1.50")]

    @task
    def seen(values):
        moment, delta, pair, some, exact = values
        return [moment.isoformat(), delta.total_seconds(), list(pair), sorted(some), str(exact), str(type(pair))]

    @task
    def days():
        return {"day": date(2024, 2, 29)}

    @task
    def day(value):
        return str(value["day"])

    seen(give())
    day(days())


@dag(schedule=None)
def xcom_unserialisable():
    @task
    def give():
        return object()

    @task
    def numbered_keys():
        return {1: "one"}

    give()
    numbered_keys()


@dag(schedule=None)
def xcom_multiple_outputs_errors():
    @task(multiple_outputs=True)
    def no_mapping():
        return [1]

    @task(multiple_outputs=True)
    def odd_keys():
        return {1: "one"}

    @task(multiple_outputs=True)
    def nothing():
        return None

    no_mapping()
    odd_keys()
    nothing()


with DAG("xcom_templates", schedule=None):
    push = PythonOperator(task_id="push", python_callable=lambda: {"city": "Bern", "sizes": [3, 5]})
    text = BashOperator(
        task_id="text",
        bash_command="echo '{{ ti.xcom_pull(task_ids='push')['city'] }} {{ ti.xcom_pull('push')['sizes'][1] }}'",
    )
    by_output = BashOperator(task_id="by_output", bash_command='echo "$CITY"', env={"CITY": push.output["city"]})
    push >> [text, by_output]


@dag(schedule=None)
def xcom_of_failed_task():
    @task
    def fails(ti=None):
        ti.xcom_push(key="partial", value=[1, 2])
        raise AirflowException

    @task(trigger_rule="all_done")
    def reads():
        return get_current_context()["ti"].xcom_pull(task_ids="fails", key="partial")

    fails() >> reads()


@dag(schedule=None)
def xcom_operations():
    @task
    def letters():
        return {"a": "x", "b": ["y", "z"]}

    @task
    def show(value):
        return value

    made = letters()
    show(made["b"])
    show.override(task_id="show_missing")(made["missing"])


xcom_taskflow()
xcom_keys()
xcom_values()
xcom_rich_values()
xcom_unserialisable()
xcom_multiple_outputs_errors()
xcom_of_failed_task()
xcom_operations()

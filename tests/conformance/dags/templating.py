"""What templates see."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, BaseOperator, Param, dag, task

HERE = Path(__file__).parent


class Render(BaseOperator):
    """Returns its rendered argument."""

    template_fields = ("text",)
    template_ext = (".txt",)

    def __init__(self, *, text, **arguments):
        super().__init__(**arguments)
        self.text = text

    def execute(self, context):
        return self.text


WITHOUT_DATE = {
    "run_id": "{{ run_id }}",
    "dag": "{{ dag.dag_id }} {{ task.task_id }} {{ ti.task_id }} {{ ti.try_number }} {{ task_instance.run_id }}",
    "run": "{{ dag_run.run_id }} {{ dag_run.run_type }} {{ dag_run.conf | dictsort }}",
    "conf": "{{ dag_run.conf['answer'] }} {{ dag_run.conf.get('missing', 'none') }}",
    "params": "{{ params.who }} {{ params['count'] }} {{ params.nested.deep }}",
    "macros": "{{ macros.ds_add('2024-02-28', 2) }} {{ macros.datetime(2024, 1, 1).year }} "
    "{{ macros.timedelta(days=1) }} {{ macros.json.dumps({'a': 1}) }}",
    "filters": "{{ 'a,b'.split(',') | join('+') }} {{ [3, 1, 2] | sort | first }}",
    "variables": "{{ var.value.greeting }} {{ var.json.shape.sides }} {{ var.value.get('unset', 'fallback') }}",
    "connection": "{{ conn.shop.host }} {{ conn.shop.login }} {{ conn.shop.port }} {{ conn.shop.schema }} "
    "{{ conn.shop.extra_dejson.mode }} {{ conn.get('unset', 'fallback') }}",
    "nested": {"list": ["{{ run_id }}", {"deep": "{{ params.who }}"}], "tuple": ("{{ 1 + 1 }}",), "number": 5},
    "test_mode": "{{ test_mode }} {{ inlets }} {{ outlets }}",
    "missing": "{{ dag_run.logical_date }} {{ logical_date is defined }} {{ ds is defined }} "
    "{{ data_interval_start is defined }} {{ prev_data_interval_start_success }}",
}
WITH_DATE = {
    "day": "{{ ds }} {{ ds_nodash }} {{ ts }} {{ ts_nodash }} {{ ts_nodash_with_tz }}",
    "logical": "{{ logical_date }} {{ dag_run.logical_date.isoformat() }} {{ logical_date | ds }} {{ logical_date | ts }}",
    "interval": "{{ data_interval_start }} {{ data_interval_end }} {{ data_interval_end | ts_nodash }}",
    "filters": "{{ logical_date | ds_nodash }} {{ logical_date | ts_nodash_with_tz }}",
    "pendulum": "{{ logical_date.add(days=1).to_date_string() }} {{ logical_date.in_timezone('Europe/Berlin') }}",
    "format": "{{ macros.ds_format(ds, '%Y-%m-%d', '%d.%m.%Y') }} {{ macros.ds_add(ds, -5) }}",
    "previous": "{{ prev_data_interval_start_success }} {{ prev_start_date_success }} {{ prev_end_date_success }}",
    "key": "{{ task_instance_key_str }}",
}
PARAMS = {
    "who": "world",
    "count": Param(3, type="integer", minimum=1),
    "nested": {"deep": "below"},
}

with DAG("template_without_date", schedule=None, params=PARAMS):
    for name, text in WITHOUT_DATE.items():
        Render(task_id=name, text=text)
    Render(task_id="day_fails", text="{{ ds }}")

with DAG("starts_without_date", schedule=None):
    # The older API gives every run a date; an operator can start one that has none.
    TriggerDagRunOperator(
        task_id="start",
        trigger_dag_id="template_without_date",
        trigger_run_id="r1",
        logical_date=None,
        conf={"answer": 42},
    )

with DAG("template_with_date", schedule=None, params=PARAMS):
    for name, text in {**WITHOUT_DATE, **WITH_DATE}.items():
        Render(task_id=name if name not in WITHOUT_DATE else f"plain_{name}", text=text)

with DAG(
    "template_interval_of_manual_run", schedule="@daily", start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False
):
    Render(task_id="interval", text="{{ data_interval_start }} {{ data_interval_end }} {{ ds }} {{ logical_date }}")

with DAG(
    "template_files",
    schedule=None,
    params={"who": "files"},
    template_searchpath=[str(HERE / "templates")],
    user_defined_macros={"shout": lambda text: text.upper() + "!"},
    user_defined_filters={"twice": lambda text: text * 2},
):
    Render(task_id="from_file", text="note.txt")
    Render(task_id="own_filter", text="{{ 'ab' | twice }}")
    Render(task_id="missing_file", text="nowhere.txt")

with DAG("template_native", schedule=None, render_template_as_native_obj=True, params={"numbers": [1, 2]}):
    Render(task_id="number", text="{{ 1 + 1 }}")
    Render(task_id="list", text="{{ params.numbers }}")
    Render(task_id="mapping", text="{'a': {{ params.numbers[0] }}}")
    Render(task_id="text", text="plain text")

with DAG("template_errors", schedule=None):
    Render(task_id="undefined", text="{{ nobody_knows_this }}")
    Render(task_id="syntax", text="{{ unclosed ")
    Render(task_id="attribute", text="{{ dag.no_such_attribute }}")

with DAG("template_python", schedule=None):

    def show(*args, templates_dict, **kwargs):
        return {"args": list(args), "dict": templates_dict, "extra": kwargs["extra"], "run": kwargs["run_id"]}

    PythonOperator(
        task_id="show",
        python_callable=show,
        op_args=["{{ run_id }}", 1],
        op_kwargs={"extra": "{{ dag.dag_id }}"},
        templates_dict={"day": "{{ ds }}"},
    )
    BashOperator(task_id="shell", bash_command="echo {{ dag.dag_id }}:$NAME", env={"NAME": "{{ run_id }}"})
    EmptyOperator(task_id="empty", doc_md="# Not rendered {{ ds }}")


@dag(schedule=None, params={"who": "taskflow", "count": Param(1, type=["null", "integer"])})
def params_and_conf():
    @task
    def params(params=None, dag_run=None):
        return {"params": dict(params), "conf": dag_run.conf}

    @task(params={"who": "task wins", "only_here": True})
    def task_params(params=None):
        return dict(params)

    @task
    def templated(text):
        return text

    params()
    task_params()
    templated("{{ params.who }} {{ params.count }}")


params_and_conf()

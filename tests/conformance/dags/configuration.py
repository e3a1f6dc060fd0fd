"""Variables and connections, from the environment and by API."""

from __future__ import annotations

from airflow.sdk import BaseHook, Connection, Variable, dag, task


@dag(schedule=None)
def variables():
    @task
    def plain():
        return Variable.get("greeting")

    @task
    def as_json():
        return Variable.get("shape", deserialize_json=True)

    @task
    def fallback():
        return Variable.get("unset", default="fallback")

    @task
    def missing():
        return Variable.get("unset")

    @task
    def stored():
        return Variable.get("stored_by_api")

    @task
    def round_trip():
        Variable.set("made_by_task", {"a": 1}, serialize_json=True)
        seen = Variable.get("made_by_task", deserialize_json=True)
        Variable.delete("made_by_task")
        return [seen, Variable.get("made_by_task", default=None)]

    plain()
    as_json()
    fallback()
    missing()
    stored()
    round_trip()


@dag(schedule=None)
def connections():
    def shown(found):
        return [found.conn_type, found.host, found.login, found.password, found.port, found.schema, found.extra_dejson]

    @task
    def by_uri():
        return shown(BaseHook.get_connection("shop"))

    @task
    def by_json():
        return shown(Connection.get("shop_json"))

    @task
    def stored():
        return shown(Connection.get("stored_by_api"))

    @task
    def missing():
        return shown(Connection.get("unset"))

    @task
    def uri():
        return Connection.get("shop").get_uri()

    by_uri()
    by_json()
    stored()
    missing()
    uri()


variables()
connections()

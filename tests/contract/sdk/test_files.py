"""What a DAG-file process tells of its file: DAGs, errors, warnings; and its answers about dates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from itertools import count

import pytest

from airgate.sdk import protocol
from tests.contract.sdk.fake_engine import Body, FakeEngine, FileConnection

ids = count(1)


def parsed(engine: FakeEngine, text: str) -> Body:
    file = engine.fork_file(text)
    body = file.parsed()
    file.connection.hang_up()
    return body


def error_of(engine: FakeEngine, text: str) -> str:
    body = parsed(engine, text)
    assert body["dags"] == []
    return str(body["error"])


# --- what is found ------------------------------------------------------------------------------------------------


def test_dags_are_found_as_globals_by_context_and_by_decorator(engine: FakeEngine) -> None:
    body = parsed(
        engine,
        """
from airflow import DAG
from airflow.sdk import dag

plain = DAG("plain", schedule=None)
with DAG("by_context", schedule=None):
    pass

@dag(schedule=None)
def by_decorator():
    pass

by_decorator()
with DAG("unregistered", schedule=None, auto_register=False):
    pass
""",
    )

    assert body["error"] is None
    assert {spec["dag_id"] for spec in body["dags"]} == {"plain", "by_context", "by_decorator"}


def test_a_file_without_dags_gives_none(engine: FakeEngine) -> None:
    body = parsed(engine, "x = 1")

    assert (body["dags"], body["error"]) == ([], None)


def test_a_file_imports_its_neighbours(engine: FakeEngine) -> None:
    (engine.dags / "neighbour.py").write_text("NAME = 'from_neighbour'")

    body = parsed(engine, "from airflow.sdk import DAG\nfrom neighbour import NAME\nd = DAG(NAME, schedule=None)")

    assert [spec["dag_id"] for spec in body["dags"]] == ["from_neighbour"]


def test_a_module_named_as_one_of_ours_is_the_users(engine: FakeEngine) -> None:
    for name in ("logs", "wire", "callbacks", "protocol"):
        (engine.dags / f"{name}.py").write_text("MINE = True")

    body = parsed(engine, "import callbacks, logs, protocol, wire\nassert logs.MINE and wire.MINE and callbacks.MINE")

    assert body["error"] is None


def test_the_module_path_is_the_interpreter_s_own_and_the_folders_of_dags(engine: FakeEngine) -> None:
    seen = engine.folder / "path.json"
    parsed(engine, f"import json, sys\njson.dump(sys.path, open({str(seen)!r}, 'w'))")
    code = "import json, sys; print(json.dumps(sys.path))"
    plain = subprocess.run([engine.python, "-c", code], capture_output=True, check=True, cwd="/")

    home = engine.folder / "airflow"
    added = set(json.loads(seen.read_text())) - set(json.loads(plain.stdout))
    assert added == {str(engine.dags), str(home / "config"), str(home / "plugins")}


def test_the_last_of_two_dags_of_one_id_counts_and_a_warning_says_so(engine: FakeEngine) -> None:
    body = parsed(
        engine,
        """
from airflow.sdk import DAG
a = DAG("twice", schedule=None, description="first")
b = DAG("twice", schedule=None, description="second")
""",
    )

    assert [spec["description"] for spec in body["dags"]] == ["second"]
    assert "twice" in body["warnings"][0]


def test_warnings_of_the_import_are_reported_with_their_place(engine: FakeEngine) -> None:
    body = parsed(engine, "import warnings\nwarnings.warn('mind this')")

    (warning,) = body["warnings"]
    assert ":2: UserWarning: mind this" in warning


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:", ["SyntaxError", "line 1"]),
        ("import no_such_module_anywhere", ["ModuleNotFoundError: No module named 'no_such_module_anywhere'"]),
        ("raise ValueError('no good')", ["Traceback", "ValueError: no good", "line 1"]),
        ("import sys; sys.exit(3)", ["called sys.exit(3)"]),
        ("raise KeyboardInterrupt", ["raised KeyboardInterrupt"]),
        ("class Odd(BaseException): pass\nraise Odd('words')", ["Odd: words"]),
    ],
)
def test_an_import_that_fails_is_explained(engine: FakeEngine, text: str, words: list[str]) -> None:
    error = error_of(engine, text)

    for word in words:
        assert word in error


def test_a_dag_with_a_cycle_is_an_error_and_the_other_dags_of_the_file_are_not(engine: FakeEngine) -> None:
    body = parsed(
        engine,
        """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("good", schedule=None):
    pass
with DAG("cyclic", schedule=None):
    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    a >> b >> a
""",
    )

    assert [spec["dag_id"] for spec in body["dags"]] == ["good"]
    assert "DAG cyclic" in body["error"]
    assert "Cycle" in body["error"]


def test_a_broken_cron_expression_is_an_error(engine: FakeEngine) -> None:
    body = parsed(engine, "from airflow.sdk import DAG\nd = DAG('d', schedule='every day please')")

    assert body["dags"] == []
    assert "AirflowTimetableInvalid" in body["error"]


def test_a_missing_file_is_an_error(engine: FakeEngine) -> None:
    file = engine.fork_file(engine.dags / "not_there.py")

    assert "File not found" in file.parsed()["error"]


def test_a_file_that_hangs_can_be_killed_and_others_go_on(engine: FakeEngine) -> None:
    file = engine.fork_file("import threading\nthreading.Event().wait()")
    os.kill(file.connection.pid, signal.SIGKILL)

    assert file.connection.until_end() == []
    gone = engine.nursery.expect("ChildGone")
    while gone["pid"] != file.connection.pid:
        gone = engine.nursery.expect("ChildGone")
    assert gone["status"] == -signal.SIGKILL
    assert parsed(engine, "x = 1")["error"] is None


def test_a_file_that_leaves_its_process_is_seen_to_be_gone(engine: FakeEngine) -> None:
    file = engine.fork_file("import os; os._exit(4)")

    assert file.connection.until_end() == []


def test_a_variable_read_at_import_is_asked_of_the_engine(engine: FakeEngine) -> None:
    file = engine.fork_file(
        """
from airflow.sdk import DAG, Variable
d = DAG("named_" + Variable.get("name"), schedule=None)
e = DAG("named_" + Variable.get("other", default="nobody"), schedule=None)
""",
        name="ann",
    )

    assert [spec["dag_id"] for spec in file.parsed()["dags"]] == ["named_ann", "named_nobody"]


def test_orders_that_arrive_while_a_file_asks_are_carried_out_afterwards(engine: FakeEngine) -> None:
    text = "from airflow.sdk import DAG, Variable\nd = DAG(Variable.get('name'), schedule=None)"
    file = engine.fork_file(text, silent=True)
    frame_id, body = file.connection.frames.get(timeout=30)
    assert body is not None
    assert body["type"] == "GetVariable"
    file.connection.send(protocol.Warm(spares=1))
    file.connection.answer = file.world
    file.connection.reply(frame_id, {"type": "VariableResult", "key": "name", "value": "late"}, None)

    assert file.parsed()["dags"][0]["dag_id"] == "late"
    assert engine.accept("try", file.key).pid


# --- dates --------------------------------------------------------------------------------------------------------

CUSTOM = '''
import asyncio
from datetime import timedelta
import pendulum
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable


async def nothing():
    pass


class EveryThirdHour(Timetable):
    """Counts from the last run; not known to any plugin."""

    description = "every third hour"

    def __init__(self, hours=3):
        self.hours = hours

    @property
    def summary(self):
        return f"every {self.hours} h"

    def infer_manual_data_interval(self, *, run_after):
        asyncio.run(nothing())
        return DataInterval(run_after - timedelta(hours=self.hours), run_after)

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        if last_automated_data_interval is None:
            return restriction.earliest and DagRunInfo.interval(restriction.earliest, restriction.earliest.add(hours=1))
        if last_automated_data_interval.end.year > 2030:
            raise RuntimeError("the end of time")
        end = last_automated_data_interval.end
        return DagRunInfo.interval(end, end + timedelta(hours=self.hours))


start = pendulum.datetime(2026, 1, 1)
custom = DAG("custom", schedule=EveryThirdHour(), start_date=start)
either = DAG("either", schedule=AssetOrTimeSchedule(timetable=EveryThirdHour(5), assets=[Asset("a")]), start_date=start)
daily = DAG("daily", schedule="@daily", start_date=start, catchup=True)
once = DAG("once", schedule="@once", start_date=start)
never = DAG("never", schedule=None)
delta = DAG("delta", schedule=timedelta(hours=2), start_date=start)
'''


@pytest.fixture(scope="module")
def clock(engine: FakeEngine) -> FileConnection:
    file = engine.fork_file(CUSTOM)
    body = file.parsed()
    assert body["error"] is None, body["error"]
    return file


def ask(clock: FileConnection, question: protocol.NextRun | protocol.ManualInterval) -> Body:
    number = next(ids)
    clock.connection.send(question, number)
    frame_id, body = clock.connection.frames.get(timeout=30)
    assert frame_id == number
    assert body is not None
    return body


JANUARY = "2026-01-01T00:00:00+00:00"


def test_a_custom_timetable_answers_by_its_own_class(clock: FileConnection) -> None:
    first = ask(clock, protocol.NextRun(dag_id="custom", last_interval=None, earliest=JANUARY))
    later = ask(clock, protocol.NextRun(dag_id="custom", last_interval=[JANUARY, "2026-01-01T01:00:00+00:00"]))

    assert first["data_interval"] == [JANUARY, "2026-01-01T01:00:00+00:00"]
    assert later["data_interval"] == ["2026-01-01T01:00:00+00:00", "2026-01-01T04:00:00+00:00"]
    assert later["run_after"] == "2026-01-01T04:00:00+00:00"
    assert later["run_id"] == "scheduled__2026-01-01T04:00:00+00:00"


def test_a_custom_timetable_inside_an_asset_schedule_answers_too(clock: FileConnection) -> None:
    body = ask(clock, protocol.NextRun(dag_id="either", last_interval=[JANUARY, JANUARY]))

    assert body["data_interval"] == [JANUARY, "2026-01-01T05:00:00+00:00"]


def test_a_timetable_that_raises_is_a_failure_with_its_words(clock: FileConnection) -> None:
    moment = "2031-01-01T00:00:00+00:00"
    body = ask(clock, protocol.NextRun(dag_id="custom", last_interval=[moment, moment]))

    assert body["type"] == "Failed"
    assert "the end of time" in body["message"]


def test_a_dag_that_is_not_in_the_file_is_a_failure(clock: FileConnection) -> None:
    assert ask(clock, protocol.NextRun(dag_id="missing", last_interval=None))["type"] == "Failed"


def test_a_timetable_that_runs_an_event_loop_leaves_the_process_able_to_notice_its_children(
    clock: FileConnection,
) -> None:
    child = clock.child()
    ask(clock, protocol.ManualInterval(dag_id="custom", run_after=JANUARY))
    child.hang_up()

    assert clock.gone(child.pid) == 0


@pytest.mark.parametrize(
    ("dag_id", "last", "expected"),
    [
        ("daily", None, JANUARY),
        ("daily", [JANUARY, JANUARY], "2026-01-02T00:00:00+00:00"),
        ("once", None, JANUARY),
        ("once", [JANUARY, JANUARY], None),
        ("never", None, None),
    ],
)
def test_airflow_s_own_timetables_answer_as_its_scheduler_has_them(
    clock: FileConnection, dag_id: str, last: list[str] | None, expected: str | None
) -> None:
    question = protocol.NextRun(dag_id=dag_id, last_interval=last, earliest=JANUARY, catchup=True)

    assert ask(clock, question)["run_after"] == expected


def test_a_manual_run_s_interval_comes_from_the_timetable(clock: FileConnection) -> None:
    custom = ask(clock, protocol.ManualInterval(dag_id="custom", run_after=JANUARY))
    exact = ask(clock, protocol.ManualInterval(dag_id="never", run_after=JANUARY))

    assert custom["data_interval"] == ["2025-12-31T21:00:00+00:00", JANUARY]
    assert exact["data_interval"] == [JANUARY, JANUARY]

"""What the engine and the processes beside DAG code say to each other, over one Unix socket each.

The engine listens; every process connects, says `Hello`, and keeps that connection for life. A closed connection
means the peer is gone, whichever side it is.

Framing is Airflow's own supervisor framing (``airflow.sdk.execution_time.comms``): four bytes of big-endian
length, then a MessagePack array. A request is ``[id, body]`` (Airflow adds a trace carrier as a third element), an
answer ``[id, body, error]``. Bodies are maps with a ``type`` key. Using Airflow's framing and bodies for a try
means the Task SDK talks to the engine itself, with nothing in between.

Three conversations:

* nursery  : engine → `ForkFile`, `Shutdown`;                            nursery → `Hello`, `ChildGone`
* file     : engine → `Warm`, `NextRun`, `ManualInterval`, `Shutdown`;   file → `Hello`, `Parsed`, `ChildGone`
* try      : engine → `StartTry`; then the Task SDK's own messages (child asks, engine answers);
             child → `Hello`, and `Idle` after each try when it is to be used again

Messages the engine sends of itself, and events a process sends of itself, carry id -1 and get no answer.
`NextRun` and `ManualInterval` are requests with an id >= 0, answered by a frame with the same id: `RunDates`, or
`Failed`.

A DAG-file process may ask, too: code at the top of a DAG file (or in a timetable) that reads a variable or a
connection sends the Task SDK's own ``GetVariable``, ``GetConnection``, … as a request with an id >= 0 on the file's
connection, and waits for the answer. Such bodies are told from `RunDates` and `Failed` by their ``type``. What is not
answered hangs until the engine's time limit for imports.

A nursery on Linux adopts tries whose DAG-file process died before them, and sends their `ChildGone` in its stead.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROTOCOL = 1
"""Raised whenever a message changes shape; a process of another protocol is refused at `Hello`."""

UNSOLICITED = -1


class Hello(msgspec.Struct, tag="Hello", tag_field="type", kw_only=True):
    """First message on every connection. `token` is the engine's secret for this incarnation."""

    role: str
    """``nursery``, ``file`` or ``try``."""
    token: str
    pid: int
    protocol: int = PROTOCOL
    file_key: str = ""
    """Which DAG-file process this is, or is a child of. Given by the engine in `ForkFile`."""
    parent: int = 0
    """Of a try: the pid of the process that forked it. Two processes of one file may follow each other closely."""
    python: str = ""
    sdk_version: str = ""


class ForkFile(msgspec.Struct, tag="ForkFile", tag_field="type", kw_only=True):
    """Fork a DAG-file process that imports `path` (once) and reports `Parsed`."""

    file_key: str
    path: str
    root: str
    """The DAG folder; it (and its ``plugins`` sibling where present) is on ``sys.path``, as Airflow has it."""


class Shutdown(msgspec.Struct, tag="Shutdown", tag_field="type", kw_only=True):
    """Stop taking work and exit; a DAG-file process leaves its running tries alone."""


class ChildGone(msgspec.Struct, tag="ChildGone", tag_field="type", kw_only=True):
    """A child was reaped. `status` is its exit code, or minus the signal that ended it."""

    pid: int
    status: int


class Parsed(msgspec.Struct, tag="Parsed", tag_field="type", kw_only=True):
    """What importing the file gave. `dags` are maps of the shape of ``airgate.model.dag.DagSpec``."""

    file_key: str
    dags: list[dict[str, Any]] = []
    error: str | None = None
    """Import error with its traceback, as Airflow would show it; `dags` is then what could be had anyway."""
    warnings: list[str] = []
    seconds: float = 0.0


class Warm(msgspec.Struct, tag="Warm", tag_field="type", kw_only=True):
    """Fork this many more children now, and warm them. Each says `Hello` for itself.

    The engine counts which children are idle (a file process cannot know when the engine gave one work), so this
    is an order for so many forks, not a level to keep.
    """

    spares: int


class NextRun(msgspec.Struct, tag="NextRun", tag_field="type", kw_only=True):
    """Ask a DAG's timetable for its next run. Dates are ISO 8601 with offset, or None. Answered by `RunDates`."""

    dag_id: str
    last_interval: list[str] | None
    """[start, end] of the newest scheduled run, None before the first."""
    last_run_after: str | None = None
    earliest: str | None = None
    latest: str | None = None
    catchup: bool = False


class ManualInterval(msgspec.Struct, tag="ManualInterval", tag_field="type", kw_only=True):
    """Ask which data interval a manual run at `run_after` has. Answered by `RunDates`."""

    dag_id: str
    run_after: str


class RunDates(msgspec.Struct, tag="RunDates", tag_field="type", kw_only=True):
    """Dates of a run, as the timetable gave them; `run_after` None: there is no such run."""

    run_after: str | None = None
    data_interval: list[str] | None = None
    run_id: str | None = None
    """What the timetable would call a scheduled run."""
    partition_key: str | None = None


class Failed(msgspec.Struct, tag="Failed", tag_field="type", kw_only=True):
    """Answer to a question that DAG code could not answer: what it raised, in one line."""

    message: str


class StartTry(msgspec.Struct, tag="StartTry", tag_field="type", kw_only=True):
    """Run one try (or, with `callback`, a DAG's or a dead try's callback) in this child."""

    startup: dict[str, Any]
    """Airflow's ``StartupDetails`` as a map (`ti`, `ti_context`, `dag_rel_path`, `bundle_info`, `start_date`, …).

    For a DAG's callback only ``ti_context.dag_run`` is needed, and `ti` is the run's last task instance, if any.
    """
    log_path: str
    """Where this try's log goes: JSON lines, appended; the folder exists."""
    env: dict[str, str] = {}
    """Added to the environment for this try: ``AIRFLOW_CONN_*``, ``AIRFLOW_VAR_*`` and the like."""
    reuse: bool = False
    """Say `Idle` afterwards and wait for the next `StartTry`, instead of exiting."""
    callback: str | None = None
    """None: run the task. ``dag_success``, ``dag_failure``: the DAG's callback. ``task_failure``, ``task_retry``: the
    task's callbacks only, for a try that died without being able to run them."""
    reason: str = ""
    """For callbacks: the context's ``reason`` (e.g. ``task_failure``, ``timed_out``)."""


class Idle(msgspec.Struct, tag="Idle", tag_field="type", kw_only=True):
    """The child has finished a try, callbacks included, and can take another."""


ToEngine = Hello | ChildGone | Parsed | RunDates | Failed | Idle
ToProcess = ForkFile | Shutdown | Warm | NextRun | ManualInterval | StartTry

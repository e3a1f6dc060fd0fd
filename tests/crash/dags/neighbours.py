"""Tasks that misbehave, each in its own way, and one that works beside them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from airflow.sdk import DAG, task

MEGABYTES = 100


@task
def leaves_at_once():
    os._exit(1)


@task
def reads_nothing():
    ctypes.string_at(0)


@task
def talks_too_much():
    line = "x" * 1023 + "\n"
    for _ in range(MEGABYTES * 1024):
        sys.stdout.write(line)


@task
def will_not_stop():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Path(os.environ["CRASH_OUT"]).write_text(str(os.getpid()))
    time.sleep(600)


@task
def works():
    return "worked"


for behaviour in (leaves_at_once, reads_nothing, talks_too_much, will_not_stop, works):
    with DAG(behaviour.function.__name__, schedule=None) as dag:
        behaviour()
    globals()[dag.dag_id] = dag

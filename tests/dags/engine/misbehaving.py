"""Small DAGs for the acceptance tests: tasks that behave badly."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from airflow.sdk import DAG, get_current_context, task


def announce(text):
    Path(get_current_context()["dag_run"].conf["witness"]).write_text(text)


with DAG("exits"):

    @task
    def exits_with_one():
        os._exit(1)

    @task
    def exits_politely():
        sys.exit(3)

    exits_with_one()
    exits_politely()

with DAG("segfaults"):

    @task(retries=1, retry_delay=0)
    def reads_address_zero(ti=None):
        if ti.try_number == 1:
            ctypes.string_at(0)

    reads_address_zero()

with DAG("talks"):

    @task
    def prints_a_lot():
        line = "x" * 99
        for _ in range(10):
            print("\n".join([line] * 100_000))
        print("the end of it")

    prints_a_lot()

with DAG("stubborn"):

    @task
    def ignores_sigterm():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        announce(str(os.getpid()))
        while True:
            time.sleep(0.05)

    ignores_sigterm()

with DAG("parent"):

    @task
    def starts_a_program():
        child = subprocess.Popen(["sleep", "600"])
        announce(str(child.pid))
        child.wait()

    starts_a_program()

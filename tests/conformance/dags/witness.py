"""What tasks leave behind besides their states: lines in a file per run, and the overlap of their intervals."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """Where witnesses write."""
    return Path(os.environ["CONFORMANCE_OUT"])


def note(context, text):
    """Add one line to the file of this run. O_APPEND keeps lines of different processes whole."""
    run = context["dag_run"]
    path = folder() / f"{run.dag_id}.{run.run_id}.lines"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)


def count(context, name):
    """Count calls of `name` in this run, over all processes and tries: 1 for the first."""
    run = context["dag_run"]
    path = folder() / f"{run.dag_id}.{run.run_id}.{name}.count"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, b".")
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


@contextmanager
def interval(group, seconds=2.0):
    """Record that something of `group` ran from now on, for at least `seconds`."""
    start = time.time()
    time.sleep(seconds)
    yield
    path = folder() / f"{group}.intervals"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{start} {time.time()}\n".encode())
    finally:
        os.close(descriptor)


def most_at_once(group):
    """How many intervals of `group` covered one moment, at most."""
    rows = [line.split() for line in (folder() / f"{group}.intervals").read_text().splitlines()]
    edges = sorted([(float(start), 1) for start, _ in rows] + [(float(end), -1) for _, end in rows])
    level = highest = 0
    for _, step in edges:
        level += step
        highest = max(highest, level)
    return highest

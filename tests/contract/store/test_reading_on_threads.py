"""Documents are read by several threads at once, from the first on."""

from __future__ import annotations

import subprocess
import sys

import pytest

FIRST_READS = """
import sys
import threading

from airgate.store import _documents, hooks, jobs, webhooks, workspaces

sys.setswitchinterval(1e-6)
rooms = (jobs, webhooks, hooks, workspaces)
kept = [one for room in rooms for one in vars(room).values() if isinstance(one, _documents.Documents)]


def read(barrier, one, fields):
    barrier.wait()
    for field in fields:
        try:
            one._read('{"%s": {}}' % field)
        except Exception:
            pass  # that is no such document; what the field is has been looked at


for one in kept:
    fields = [name for name in dir(one._struct) if not name.startswith("_")] * 5
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=read, args=(barrier, one, fields[::-1])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(len(kept))
"""


@pytest.mark.parametrize("_", range(5))
def test_documents_can_be_read_first_by_many_threads(_: int) -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_READS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert int(done.stdout) > 5

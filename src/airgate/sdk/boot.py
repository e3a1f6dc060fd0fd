"""Entry of the process tree beside DAG code: ``INTERPRETER .../airgate/sdk/boot.py``.

What the engine must provide:

* argv: nothing. The script is run by path; the interpreter is any Python from 3.10 on with Airflow 3's Task SDK. The
  package is loaded from beside this file, and ``sys.path`` stays the interpreter's own: nothing installed next to
  Airgate's server can shadow, or stand in for, what DAG code imports.
* environment (each is removed before anything of Airflow or of DAG code is imported):

  - ``AIRGATE_ENGINE_SOCKET``: path of the Unix stream socket the engine listens on;
  - ``AIRGATE_ENGINE_TOKEN``: the secret every `Hello` carries;
  - ``AIRGATE_TREE_LOCK_FD`` (optional): number of an inherited descriptor of the lock file. Every process of the tree
    keeps it open, and passes it on by fork alone, never through exec: once a lock on that file description can be had
    again, the whole tree is gone.

  Besides, ``AIRFLOW_HOME`` should be a folder of Airgate's own, and ``AIRFLOW__CORE__PLUGINS_FOLDER`` may name the
  plugins of the deployment. Everything else is inherited by tries as it is.
* stdin is not read. stdout and stderr receive the log of the nursery and of DAG-file processes (JSON lines, and raw
  text from subprocesses); give it a file or a pipe that somebody reads.

The nursery says `Hello` once Airflow has been imported, which takes seconds. If that fails it exits with 1 and the
reason is on stderr. It exits with 0 when told to, or when its connection closes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _load_package() -> None:
    """Make ``airgate`` importable from this very place, whatever else ``sys.path`` may hold."""
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if not entry or os.path.realpath(entry) != here]
    spec = importlib.util.spec_from_file_location(
        _PACKAGE.name, _PACKAGE / "__init__.py", submodule_search_locations=[str(_PACKAGE)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE.name] = module
    spec.loader.exec_module(module)


def _claim_title() -> None:
    """Let setproctitle find the process's title, which it cannot any more once the environment has changed."""
    if sys.platform == "darwin":  # where it breaks system libraries after a fork
        return
    with suppress(ImportError):
        importlib.import_module("setproctitle").setproctitle("airgate: nursery")


def _wipe(secret: str) -> None:
    """Overwrite the secret where the system keeps what a process was started with: ``/proc/PID/environ``."""
    if not sys.platform.startswith("linux") or not secret:
        return
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    start = int(fields[47])  # env_start, of which proc(5) says it is field 50; two came before the ")"
    at = Path("/proc/self/environ").read_bytes().find(secret.encode())
    if start and at >= 0:
        ctypes.memset(start + at, ord("*"), len(secret))


def main() -> None:
    """Read what the engine provides, forget it, and become the nursery."""
    _wipe(os.environ.get("AIRGATE_ENGINE_TOKEN", ""))
    _claim_title()
    socket_path = os.environ.pop("AIRGATE_ENGINE_SOCKET", "")
    token = os.environ.pop("AIRGATE_ENGINE_TOKEN", "")
    lock_fd = os.environ.pop("AIRGATE_TREE_LOCK_FD", "")
    if not socket_path or not token:
        sys.exit("boot.py is started by Airgate's engine: AIRGATE_ENGINE_SOCKET and AIRGATE_ENGINE_TOKEN must be set.")
    if lock_fd:
        os.set_inheritable(int(lock_fd), False)
    _load_package()
    nursery = importlib.import_module("airgate.sdk.nursery")
    nursery.main(socket_path, token)


if __name__ == "__main__":
    main()

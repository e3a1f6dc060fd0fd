"""`airgate demo`: a server on example DAGs, and one of them triggered by a real POST."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import airgate
from airgate.cli import local, watch
from airgate.cli.api import Api
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import Output
from airgate.cli.ports import check_port
from airgate.cli.register import Target, with_options

app = typer.Typer(add_completion=False)

DATA: Final = Path(".airgate-demo")
DAG: Final = "hello"
CONF: Final = {"name": "Airgate"}
_PATIENCE: Final = 120.0
"""Seconds until the server must answer and know the DAG. The first import of Airflow's SDK takes a few."""
_STOPPING: Final = 90.0


def demo(
    given: dict[str, Any],
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port to listen on.")] = 8080,
    dags: Annotated[Path | None, typer.Option("--dags", "-d", help="DAG folder; by default the examples.")] = None,
    dag_id: Annotated[str, typer.Option("--dag", help="The DAG to trigger.")] = DAG,
    once: Annotated[bool, typer.Option("--once", help="End after the run: with 0 if it succeeded, else 1.")] = False,
) -> None:
    """Start a server on example DAGs, trigger one with a POST, show it run, and serve until Ctrl-C.

    Everything the demo keeps is in the folder .airgate-demo.
    """
    folder = dags or examples()
    check_port("127.0.0.1", port)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    out = Output(as_json=False)
    out.text(f"Starting Airgate on {folder} ...")
    with server(folder, DATA, port) as process:
        state = _show(process, out, port, dag_id)
        if not once:
            _serve(process, out)
    if once and state != "success":
        raise typer.Exit(ExitCode.FAILED)


app.command("demo")(with_options(demo, [], drop="given"))


def examples() -> Path:
    """The example DAGs: beside the installed package, or those of the working copy it is imported from."""
    package = Path(airgate.__file__).parent
    for folder in (package / "examples" / "dags", package.parent.parent / "examples" / "dags"):
        if folder.is_dir():
            return folder
    raise Problem("this installation has no example DAGs: name a DAG folder with --dags", ExitCode.USAGE)


@contextlib.contextmanager
def server(dags: Path, data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server of its own, stopped cleanly at the end. Its words go to `server.log` in the data folder."""
    data.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-m", "airgate.cli", "up", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--dags", str(dags), "--data", str(data)]
    with (data / "server.log").open("wb") as log:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the server once.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment()
        )
    try:
        yield process
    finally:
        _stop(process)


def _environment() -> dict[str, str]:
    """Without settings of another server than the demo's."""
    return {name: value for name, value in os.environ.items() if name not in {"AIRGATE_DATABASE", "AIRGATE_CONFIG"}}


def _interrupt(_signal: int, _frame: object) -> None:
    """End as Ctrl-C does, so that the server is stopped too."""
    raise KeyboardInterrupt


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOPPING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _show(process: subprocess.Popen[bytes], out: Output, port: int, dag_id: str) -> str:
    """Trigger the DAG and show the run to its end. Gives the run's state."""
    url = f"http://127.0.0.1:{port}"
    with contextlib.closing(_ready(process, url)) as api:
        _await_dag(process, api, dag_id)
        out.text(f"\nPOST {url}/api/v1/dags/{dag_id}/dagRuns")
        conf = CONF if dag_id == DAG else {}
        posted = time.perf_counter()
        started = api.post("dags", dag_id, "dagRuns", body={"conf": conf})
        answered = time.perf_counter()
        out.text(f"  answered in {(answered - posted) * 1000:.0f} ms: {started['dag_run_id']} is {started['state']}\n")
        run, _ = watch.show(api, out, dag_id, started["dag_run_id"])
        out.text(f"\nThe run's {run['state']} was seen {time.perf_counter() - posted:.2f} s after the POST.\n")
        out.text(_go_on(api.target, dag_id, run["dag_run_id"]))
        return str(run["state"])


def _ready(process: subprocess.Popen[bytes], url: str) -> Api:
    """A client of the server, once that answers and has left its token in the data folder."""
    for _ in _looks(process):
        known = local.read(DATA)
        if known is None or known.url != url:
            continue
        api = Api(Target(url, known.token))
        try:
            api.get("dags", limit=1)
        except Problem as problem:
            api.close()
            if problem.code not in {ExitCode.UNAVAILABLE, ExitCode.REFUSED}:  # refused: the token is an older one
                raise
        else:
            return api
    raise Problem(f"the server does not come up; {DATA / 'server.log'} may say why", ExitCode.UNAVAILABLE)


def _await_dag(process: subprocess.Popen[bytes], api: Api, dag_id: str) -> None:
    """Wait until the DAG's file has been imported."""
    for _ in _looks(process):
        try:
            api.get("dags", dag_id)
        except Problem as problem:
            if problem.code is not ExitCode.NOT_FOUND:
                raise
        else:
            return
    raise Problem(f"no DAG {dag_id} shows up; `airgate dags errors` may say why", ExitCode.NOT_FOUND)


def _looks(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Occasions to look, until patience or the server ends."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            words = (DATA / "server.log").read_text(encoding="utf-8", errors="replace").strip()
            raise Problem(f"the server ended with {process.returncode}:\n{words[-2000:]}", ExitCode.UNAVAILABLE)
        yield
        time.sleep(0.02)


def _go_on(target: Target, dag_id: str, run_id: str) -> str:
    """What to try next."""
    url = target.server
    curl = f"curl -H 'Authorization: Bearer {target.token}'"
    return (
        "Go on with:\n\n"
        f"  {curl} -H 'Content-Type: application/json' \\\n"
        f'    -d \'{{"conf": {{"name": "you"}}}}\' {url}/api/v1/dags/{dag_id}/dagRuns\n'
        f"  {curl} {url}/api/v1/dags/{dag_id}/dagRuns/{run_id}\n"
        f"  {curl} {url}/api/v1/dags\n\n"
        f"  AIRGATE_DATA={DATA} {_command()} trigger etl --wait\n"
        f"  AIRGATE_DATA={DATA} {_command()} runs logs {dag_id}\n\n"
        f"  {url}  in a browser\n"
    )


def _command() -> str:
    """The command as it can be typed here: by name where that is found, else by path."""
    own = Path(sys.executable).with_name("airgate")
    return "airgate" if shutil.which("airgate") or not own.exists() else os.path.relpath(own)


def _serve(process: subprocess.Popen[bytes], out: Output) -> None:
    """Wait for Ctrl-C, SIGTERM, or the server's own end."""
    out.text("Serving until Ctrl-C.")
    try:
        process.wait()
    except KeyboardInterrupt:
        out.text("\nStopping ...")
    else:
        raise Problem(
            f"the server ended with {process.returncode}; {DATA / 'server.log'} may say why", ExitCode.UNAVAILABLE
        )

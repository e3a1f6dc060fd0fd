"""The DAG folder of a conformance run, and the surroundings its tasks expect."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.conformance.cases import Case

DAGS = Path(__file__).parent / "dags"

ENVIRONMENT = {
    "AIRFLOW_VAR_GREETING": "hello from the environment",
    "AIRFLOW_VAR_SHAPE": '{"sides": 4, "name": "square"}',
    "AIRFLOW_CONN_SHOP": "postgresql://user:secret@shop.example:5432/orders?mode=fast",
    "AIRFLOW_CONN_SHOP_JSON": '{"conn_type": "http", "host": "json.example", "extra": {"timeout": 5}}',
    "AIRFLOW_CONN_FS_DEFAULT": "fs://",
    "CONFORMANCE_WORD": "inherited",
}
VARIABLES = {"stored_by_api": "kept by the server"}
CONNECTIONS = (
    {
        "connection_id": "stored_by_api",
        "conn_type": "http",
        "host": "stored.example",
        "login": "me",
        "password": "stored-password",
        "port": 8443,
        "schema": "https",
        "extra": '{"verify": false}',
    },
)
POOLS = {"narrow": 1, "three_slots": 3}


def fill(folder: Path, cases: Iterable[Case], *, packages: Path) -> None:
    """Copy the DAG files of `cases` to `folder`; bundled ones come from the Airflow installed in `packages`."""
    shutil.copytree(DAGS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    wanted = {case.file for case in cases}
    for path in folder.glob("*.py"):
        if path.name not in wanted and path.name != "witness.py":
            path.unlink()
    origins = {"core": "example_dags", "standard": "providers/standard/example_dags"}
    for file in sorted(wanted):
        origin, colon, name = file.partition(":")
        if colon:
            (folder / "bundled").mkdir(exist_ok=True)
            shutil.copy(packages / "airflow" / origins[origin] / name, folder / "bundled" / name)


def packages_of_this_python() -> Path:
    """Where this interpreter's Airflow lies."""
    found = importlib.util.find_spec("airflow")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("apache-airflow-core is not installed here")
    return Path(found.submodule_search_locations[0]).parent


def packages_of(python: Path) -> Path:
    """Where another interpreter's Airflow lies, without asking it."""
    (found,) = (python.parent.parent / "lib").glob("python3.*/site-packages/airflow")
    return found.parent

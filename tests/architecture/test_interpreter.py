"""What the DAG interpreter loads runs there: an older Python, and none of the server's dependencies."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.architecture.imports import SOURCE, modules

OLDEST_DAG_PYTHON = (3, 10)
# What an interpreter with Airflow's Task SDK has in any case.
BROUGHT_BY_THE_TASK_SDK = {
    *("airflow", "attrs", "attr", "dateutil", "msgspec", "pendulum", "psutil", "pydantic", "setproctitle", "structlog")
}
BESIDE_DAG_CODE = {
    name: file for name, file in modules().items() if name == "airgate" or name.split(".")[:2] == ["airgate", "sdk"]
}


@pytest.mark.parametrize("name", BESIDE_DAG_CODE)
def test_code_beside_dag_code_uses_no_newer_grammar(name: str) -> None:
    ast.parse(BESIDE_DAG_CODE[name].read_text(encoding="utf-8"), feature_version=OLDEST_DAG_PYTHON)


@pytest.mark.parametrize("name", BESIDE_DAG_CODE)
def test_code_beside_dag_code_imports_what_every_dag_interpreter_has(name: str) -> None:
    roots = {imported.partition(".")[0] for imported in _imported(BESIDE_DAG_CODE[name].read_text(encoding="utf-8"))}
    foreign = roots - sys.stdlib_module_names - BROUGHT_BY_THE_TASK_SDK - {"airgate"}
    assert foreign == set()


def test_the_package_itself_imports_nothing() -> None:
    assert _imported((SOURCE / "airgate" / "__init__.py").read_text(encoding="utf-8")) - {"__future__"} == set()


def test_the_package_loads_without_any_dependency() -> None:
    code = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import airgate; print(airgate.__version__)"
    done = subprocess.run([sys.executable, "-ISc", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip()


def _imported(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found

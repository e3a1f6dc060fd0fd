"""Importing a DAG file as Airflow's DAG bag does, without a DAG bag: no database, no signal handlers, no folders."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow import settings
from airflow.exceptions import AirflowClusterPolicyError, AirflowClusterPolicySkipDag, AirflowClusterPolicyViolation
from airflow.sdk import DAG
from airflow.sdk.configuration import conf
from airflow.sdk.definitions._internal.contextmanager import DagContext
from airflow.utils.file import get_unique_dag_module_name

from airgate.sdk import snapshot


@dataclass
class Loaded:
    """What importing a DAG file gave: its usable DAGs, and what was wrong with the rest."""

    dags: dict[str, Any] = field(default_factory=dict)
    specs: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def error(self) -> str | None:
        """All errors as one text, or None."""
        return "\n\n".join(self.errors) or None


def load(path: str, root: str) -> Loaded:
    """Import the file and collect, check and describe its DAGs. Never raises for what the file does.

    Args:
        path: the DAG file.
        root: the DAG folder, which DAG files import their neighbours from.
    """
    _extend_path(root)
    loaded = Loaded()
    found = _import(path, loaded)
    for dag in found:
        dag.relative_fileloc = os.path.relpath(dag.fileloc, root)
        _take(dag, loaded)
    return loaded


def _extend_path(root: str) -> None:
    plugins = Path(root).absolute().with_name("plugins")
    for folder in (Path(root), plugins):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))


def _import(path: str, loaded: Loaded) -> list[Any]:
    if not Path(path).is_file():
        loaded.errors.append(f"File not found: {path}")
        return []
    name = get_unique_dag_module_name(path)
    sys.modules.pop(name, None)
    DagContext.autoregistered_dags.clear()
    DagContext.current_autoregister_module_name = name
    try:
        with warnings.catch_warnings(record=True) as caught:
            module = _execute(name, path)
        loaded.warnings.extend(_described(caught))
        return _dags_of(module)
    except BaseException as error:
        loaded.errors.append(_import_error(error))
        return []
    finally:
        DagContext.current_autoregister_module_name = None
        DagContext.autoregistered_dags.clear()


def _execute(name: str, path: str) -> Any:
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _dags_of(module: Any) -> list[Any]:
    """The module's DAGs: its globals first, in their order, then those that registered themselves."""
    found: dict[int, Any] = {}
    for value in list(vars(module).values()):
        if isinstance(value, DAG):
            value.fileloc = module.__file__
            found[id(value)] = value
    for dag, origin in sorted(DagContext.autoregistered_dags, key=lambda pair: str(pair[0].dag_id)):
        if id(dag) not in found:
            dag.fileloc = origin.__file__
            found[id(dag)] = dag
    return list(found.values())


def _take(dag: Any, loaded: Loaded) -> None:
    try:
        dag.validate()
        dag.check_cycle()
        _apply_policies(dag)
        spec = snapshot.of_dag(dag)
    except AirflowClusterPolicySkipDag:
        return
    except BaseException as error:
        loaded.errors.append(f"DAG {dag.dag_id}:\n{_import_error(error)}")
        return
    if dag.dag_id in loaded.dags:
        loaded.warnings.append(f"{dag.fileloc}: DAG {dag.dag_id} is defined more than once; the last one counts.")
        loaded.specs = [other for other in loaded.specs if other["dag_id"] != dag.dag_id]
    loaded.dags[dag.dag_id] = dag
    loaded.specs.append(spec)


def _apply_policies(dag: Any) -> None:
    try:
        settings.dag_policy(dag)
        for task in dag.tasks:
            settings.task_policy(task)
    except (AirflowClusterPolicyViolation, AirflowClusterPolicySkipDag):
        raise
    except Exception as error:
        raise AirflowClusterPolicyError(error) from error


def _import_error(error: BaseException) -> str:
    """The text of an import error: as Airflow shows it, and in plain words where a file tried to end its process."""
    if conf.getboolean("core", "dagbag_import_error_tracebacks"):
        depth = conf.getint("core", "dagbag_import_error_traceback_depth")
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-depth))
    else:
        text = str(error) or type(error).__name__
    if isinstance(error, SystemExit):
        return f"The file called sys.exit({error.code!r}) while it was imported.\n{text}"
    if isinstance(error, KeyboardInterrupt):
        return f"The file raised KeyboardInterrupt while it was imported.\n{text}"
    return text


def _described(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    texts = []
    for warning in caught:
        category = warning.category.__name__
        if warning.category.__module__ != "builtins":
            category = f"{warning.category.__module__}.{category}"
        texts.append(f"{warning.filename}:{warning.lineno}: {category}: {warning.message}")
    return texts

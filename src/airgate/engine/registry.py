"""The DAGs that some file defines now, the file versions that run them, and their graphs."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from airgate.engine.ports import FileVersion
from airgate.engine.snapshot import Graph
from airgate.model.dag import Dag


class Registry:
    """What the engine knows of DAG files, in memory. Told by whoever reads the folder or the store."""

    def __init__(self) -> None:
        self._dags: dict[str, Dag] = {}
        self._versions: dict[str, FileVersion] = {}
        self._graphs: dict[UUID, Graph] = {}

    def dag(self, dag_id: str) -> Dag | None:
        """A DAG that some file defines."""
        return self._dags.get(dag_id)

    def version_of(self, dag_id: str) -> FileVersion | None:
        """The imported file version a DAG runs from; None while its file has not been imported."""
        dag = self._dags.get(dag_id)
        return None if dag is None else self._versions.get(dag.file)

    def graph(self, dag: Dag) -> Graph:
        """The indexes of a DAG version, made once."""
        found = self._graphs.get(dag.version.id)
        if found is None:
            found = self._graphs[dag.version.id] = Graph(dag.spec)
        return found

    def put(self, dag: Dag) -> None:
        """A DAG is this now."""
        previous = self._dags.get(dag.dag_id)
        self._dags[dag.dag_id] = dag
        if previous is not None and previous.version.id != dag.version.id:
            self._graphs.pop(previous.version.id, None)

    def imported(self, version: FileVersion, dag_ids: Iterable[str]) -> None:
        """A file was imported and defines these DAGs; others it defined before are gone."""
        self._versions[version.file] = version
        defined = set(dag_ids)
        self.drop([one.dag_id for one in self._dags.values() if one.file == version.file and one.dag_id not in defined])

    def broken(self, file: str) -> None:
        """A file cannot be imported as it is now; its DAGs stay what they were."""
        for dag_id, dag in self._dags.items():
            if dag.file == file:
                self._dags[dag_id] = msgspec.structs.replace(dag, has_import_errors=True)

    def drop(self, dag_ids: Iterable[str]) -> None:
        """No file defines these DAGs any more."""
        for dag_id in dag_ids:
            self._dags.pop(dag_id, None)

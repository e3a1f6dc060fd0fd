"""Logs of a run while it is written: each try's from where it was last read, until the run has ended."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from typing import Any, Final

from airgate.cli import watch
from airgate.cli.api import Api

_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_OVER: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})

Chosen = Callable[[dict[str, Any]], bool]
Told = Callable[[dict[str, Any], int, str], None]
"""Is given a task instance, the number of a try, and what came to its log."""

_Try = tuple[str, int]


class Follower:
    """Follows the logs of one run. Where each try's log was read up to is in a token of the server's."""

    def __init__(self, api: Api, dag_id: str, run_id: str, told: Told) -> None:
        self._api = api
        self._run = ("dags", dag_id, "dagRuns", run_id)
        self._told = told
        self._tokens: dict[_Try, str] = {}
        self._done: set[_Try] = set()

    def follow(self, chosen: Chosen) -> dict[str, Any]:
        """Tell what comes to the logs of the tasks that are chosen. Gives the run as it ended."""
        pause = _SHORTEST_PAUSE
        while True:
            run: dict[str, Any] = self._api.get(*self._run)
            instances = watch.tasks_of(self._api, run["dag_id"], run["dag_run_id"])
            came = [self._read(one) for one in instances if one["try_number"] and chosen(one)]
            if run["state"] in watch.FINISHED:
                return run
            pause = _SHORTEST_PAUSE if any(came) else min(_LONGEST_PAUSE, pause * 1.3)
            time.sleep(pause)

    def _read(self, instance: dict[str, Any]) -> bool:
        """Tell what is new in each try. What is no more written is read once more, and then never again."""
        came = False
        name, newest = watch.name_of(instance), instance["try_number"]
        for number in range(1, newest + 1):
            if (name, number) in self._done:
                continue
            came |= self._read_try(instance, number)
            if number < newest or instance["state"] in _OVER:
                self._done.add((name, number))
        return came

    def _read_try(self, instance: dict[str, Any], number: int) -> bool:
        key = (watch.name_of(instance), number)
        index = instance.get("map_index", -1)
        came = False
        while True:
            answer = self._api.get(
                *self._run,
                "taskInstances",
                instance["task_id"],
                "logs",
                str(number),
                token=self._tokens.get(key),
                map_index=index if index is not None and index >= 0 else None,
            )
            self._tokens[key] = answer["continuation_token"]
            text = "".join(piece for _, piece in ast.literal_eval(answer["content"]))
            if not text:
                return came
            came = True
            self._told(instance, number, text)

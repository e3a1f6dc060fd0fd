"""Listed in .airflowignore: a DAG file that would fail if it were imported."""

from __future__ import annotations

from airflow.sdk import DAG

raise RuntimeError(f"an ignored file was imported: {DAG}")

"""Chains of tiny tasks: what counts is the way from one task to the next."""

from __future__ import annotations

from airflow.sdk import DAG, task


def fibonacci(n: int) -> int:
    """Deliberately the slow way; n stays small."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def chain(length: int) -> DAG:
    """`length` tasks, one after another, each a small Fibonacci number."""
    with DAG(f"bench_chain_{length}", schedule=None, catchup=False) as dag:
        last = None
        for number in range(length):

            @task(task_id=f"step_{number:02}")  # type: ignore[untyped-decorator]
            def step(n: int = number % 12) -> int:
                return fibonacci(n)

            made = step()
            if last is not None:
                last >> made
            last = made
    return dag


ten = chain(10)
forty = chain(40)

"""A small pipeline: extract, transform in a task group, load. Its data travels as XComs."""

from __future__ import annotations

from datetime import timedelta

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task, task_group
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task, task_group


@dag(
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    tags=["example"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
)
def etl():
    @task
    def extract() -> list[dict]:
        return [
            {"order": 1, "amount": 19.5, "country": "NL"},
            {"order": 2, "amount": 4.0, "country": "KE"},
            {"order": 3, "amount": 120.25, "country": "NL"},
        ]

    @task_group
    def transform(orders):
        @task
        def total(orders: list[dict]) -> float:
            return sum(order["amount"] for order in orders)

        @task
        def by_country(orders: list[dict]) -> dict[str, float]:
            sums: dict[str, float] = {}
            for order in orders:
                sums[order["country"]] = sums.get(order["country"], 0.0) + order["amount"]
            return sums

        return {"total": total(orders), "by_country": by_country(orders)}

    @task
    def load(total: float, by_country: dict[str, float]) -> None:
        for country, amount in sorted(by_country.items()):
            print(f"{country}: {amount:.2f}")
        print(f"all: {total:.2f}")

    results = transform(extract())
    load(results["total"], results["by_country"])


etl()

"""The stable REST API v1, as Airflow 2.11 speaks it."""

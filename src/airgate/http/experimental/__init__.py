"""Airflow 1.10's experimental API, complete, in front of any deployment."""

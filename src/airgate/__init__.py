"""Airgate, the front door to Apache Airflow.

DAG interpreters load this file before `airgate.sdk`. It therefore imports nothing and runs on any Python from 3.10 on.
"""

__version__ = "0.1.0"

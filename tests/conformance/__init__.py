"""The same DAG files on a real Airflow and on Airgate must end alike."""

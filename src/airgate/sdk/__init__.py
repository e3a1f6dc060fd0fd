"""What runs beside DAG code, in the DAG interpreter: the nursery, DAG-file processes, and tries.

The only room that imports ``airflow``. It must run on Python 3.10 and imports nothing of Airgate but itself, so that
any interpreter that has Airflow 3's Task SDK can be used, whatever else is installed there.
"""

"""The API of Astronomer's ``airflow_api_plugin``: many DAG runs from one POST."""

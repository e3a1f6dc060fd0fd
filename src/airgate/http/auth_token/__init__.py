"""Signing in as with Airflow 3: a name and a password, or a service account's name and key, for a token."""

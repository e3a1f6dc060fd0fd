"""Airgate's own dialect: everything that Airflow's dialects have no words for, described by a document of its own."""

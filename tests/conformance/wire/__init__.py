"""The same requests, sent to a real Airflow and to Airgate, and what they answer, side by side."""

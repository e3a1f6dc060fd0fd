"""Deployments: places where DAGs run.

One set of ports; the embedded engine and remote Airflows stand behind it alike.
"""

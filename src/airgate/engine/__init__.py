"""The embedded engine: runs Airflow DAG files on Airflow's own Task SDK, event-driven, in warm forked processes.

What happens next is decided purely (`decide`, `rules`, `retry`, `allot`, `clearing`); `scheduler` is the shell that
commits decisions and acts on them; `processes` is where tries run; `folder` watches the DAG files; `calendar` makes
scheduled runs; `control` is for changes by hand; `service` puts them together.
"""

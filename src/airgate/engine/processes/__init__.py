"""The embedded executor: the process tree of the DAG interpreter, and the slots it offers.

    nursery ── one DAG-file process per file version in use ── one child per try

`tree` owns the socket and the processes' lives, `files` one DAG-file process, `slots` one child.
"""

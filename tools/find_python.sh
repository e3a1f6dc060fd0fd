#!/bin/sh
# Prints the first Python on PATH that Airgate runs on. A name alone proves nothing (version managers leave dead shims),
# so each candidate is asked.
for candidate in python3 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        echo "$candidate"
        exit 0
    fi
done
echo "Airgate needs Python 3.11 or newer on PATH; or name one: make PYTHON=/path/to/python3 ..." >&2
exit 1

"""The nouns and the rules of Airgate: frozen values, enums whose value is the wire word, pure functions.

Nothing here performs I/O, reads a clock or draws a random number. The nouns are Airflow 3.3's; older
dialects are narrower views of them, made in `airgate.http`.
"""

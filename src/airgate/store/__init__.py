"""The only room that knows SQL.

`Database` runs functions against a transaction: reads on a few reader threads, writes on one writer thread that
commits whatever has gathered together (**group commit**). Each noun has a module of plain functions taking that
transaction first; a caller combines several of them into one atomic write by calling them from one function.
"""

"""From what the shop delivers to typed rows: sources, landing, strict parsing, quarantine, accounts.

A delivery goes discover -> land (a content-addressed copy, before anything is parsed) -> scan (records are found by
a reader of our own) -> read as text by DuckDB -> cast strictly by contract -> raw tables. Every record of every file
is loaded, quarantined with a reason, or counted as a duplicate; :mod:`data.ingest.accounts` proves it on every run.
"""

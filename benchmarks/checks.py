"""Time and memory of the checks of a table, by its number of rows: both must grow no faster than the rows.

Run ``python -m benchmarks.checks [ROWS ...]`` (default one and ten million): prints a Markdown table. The rows are made
by DuckDB and stream past in batches; each size runs in a process of its own, so the peaks do not add up.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import duckdb

from data.checks.runner import check_batches
from data.contracts import TABLES
from data.contracts.frames import arrow_schema

_TABLE = "demand_history"
_SIZES = (1_000_000, 10_000_000)


def measured(rows: int) -> tuple[int, float, float]:
    """Return the rules asked, the seconds and the peak memory [MB] of the checks of ``rows`` rows."""
    table = TABLES[_TABLE]
    connection = duckdb.connect()
    connection.execute("set memory_limit = '1GB'")
    fields = arrow_schema(table, exclude=("run_date",))
    named = {"sku": "'S' || (n % 50000)", "location_id": "'L' || (n // 50000) % 4"}
    named["ds"] = "date '2024-01-01' + (n // 200000)::integer"
    typed = {"double": "0.5", "bool": "false", "decimal128(18, 4)": "1::decimal(18, 4)", "string": "null::varchar"}
    columns = ", ".join(f"{named.get(f.name, typed.get(str(f.type), '0'))} as {f.name}" for f in fields)
    query = f"select {columns} from range({rows}) r(n)"
    check_batches("benchmark", table, lambda: connection.execute(f"{query} limit 10").to_arrow_reader())  # imports
    began = time.perf_counter()
    results = check_batches("benchmark", table, lambda: connection.execute(query).to_arrow_reader(100_000))
    seconds = time.perf_counter() - began
    if {r.rows_checked for r in results} != {rows} or any(r.status != "pass" for r in results):
        raise SystemExit(f"the rows made for this are not sound: {[r for r in results if r.status != 'pass'][:3]}")
    return len(results), seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> int:
    """Print the table, or measure one size where ``one ROWS`` is asked for."""
    if arguments[:1] == ["one"]:
        rules, seconds, peak = measured(int(arguments[1]))
        print(f"{rules} {seconds:.2f} {peak:.0f}")
        return 0
    print("| rows | expectations | seconds | seconds per million | peak MB |\n| ---: | ---: | ---: | ---: | ---: |")
    for rows in [int(a) for a in arguments] or _SIZES:
        command = [sys.executable, "-m", "benchmarks.checks", "one", str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        rules, seconds, peak = done.stdout.split()
        print(f"| {rows:,} | {rules} | {seconds} | {float(seconds) / rows * 1e6:.2f} | {peak} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""parquet_readback.py --casebook PATH [--scratch FOLDER] [TRACE]

Exports tables of a recording as Parquet, reads the files back with DuckDB, and compares column names, row counts and
every value with the JSON output of the same SQL. Prints a line for each query, with the first difference where there is
one, then the totals; exit 1 where any query differs. Without TRACE it takes the first fixture.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

import duckdb

# A table each, with every kind of column; hidden columns are named, since `*` leaves them out. The last one has columns
# that no catalogue types.
QUERIES = {
    "gc": "select * from gc",
    "samples": "select * from samples",
    "events": "select ts_ns, provider, name, id, version, thread, stack, activity, stream, fields from events",
    "frames": "select * from frames",
    "threads": "select * from threads",
    "counters": "select * from counters",
    "expressions": "select name, count(*) as events, avg(ts_ns) as mean_ts_ns, null as empty"
    " from events group by name order by name",
}
ROWS_AT_A_TIME = 10_000
SECONDS = 300


def query(casebook, trace, sql, *output):
    done = subprocess.run(
        [casebook, "query", trace, sql, *output], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"casebook query ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def same(expected, found):
    """Whether a value of the JSON and one of the Parquet file are equal, and of one type.

    JSON may write a whole number of a column of reals without a point; nothing else may change its type.
    """
    if isinstance(expected, int) and isinstance(found, float):
        return expected == found
    return type(expected) is type(found) and expected == found


def calendar_time_fits(names, row):
    """Whether `ts`, in microseconds since 1970, moves with `ts_ns`: the difference of both is the recording's start."""
    if row[names.index("ts_ns")] is None:
        return row[-1] is None
    start = row[-1] - row[names.index("ts_ns")] // 1000
    known = calendar_time_fits.__dict__.setdefault("start", start)
    return start == known


def first_difference(document, cursor):
    """The first difference between the JSON document and the rows of the Parquet file, as a sentence, or None."""
    names = [column["name"] for column in document["columns"]]
    found_names = [column[0] for column in cursor.description]
    if "ts_ns" in names and found_names[-1:] == ["ts"]:
        found_names.pop()  # the calendar time beside the nanoseconds, compared with them below
    if names != found_names:
        return f"columns are {names} in JSON and {found_names} in Parquet"
    if document["truncated"]:
        return "the JSON is truncated although no limit was asked for"
    expected_rows = document["rows"]
    at = 0
    while rows := cursor.fetchmany(ROWS_AT_A_TIME):
        for row in rows:
            if at < len(expected_rows):
                for name, expected, found in zip(names, expected_rows[at], row[: len(names)], strict=True):
                    if not same(expected, found):
                        return f"row {at}, column {name}: {expected!r} in JSON and {found!r} in Parquet"
                if len(row) > len(names) and not calendar_time_fits(names, row):
                    return f"row {at}: ts is {row[-1]!r} beside a ts_ns of {row[names.index('ts_ns')]}"
            at += 1
    if at != len(expected_rows):
        return f"{len(expected_rows)} rows in JSON and {at} in Parquet"
    return None


def check(casebook, trace, sql, parquet):
    """The number of rows and the first difference, or None."""
    document = json.loads(query(casebook, trace, sql, "--format", "json"))
    query(casebook, trace, sql, "--format", "parquet", "-o", parquet)
    with duckdb.connect() as connection:
        names = [row[0] for row in connection.execute("describe select * from read_parquet(?)", [parquet]).fetchall()]
        # As a number: fetching it as a calendar time would need a package of time zones.
        columns = [f"epoch_us({name}) as {name}" if name == "ts" else f'"{name}"' for name in names]
        cursor = connection.execute(f"select {', '.join(columns)} from read_parquet(?)", [parquet])
        return len(document["rows"]), first_difference(document, cursor)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("trace", nargs="?", help="a recording; without it the first of fixtures/*.nettrace*")
    arguments.add_argument("--casebook", required=True, help="the program")
    arguments.add_argument("--scratch", help="a folder that may hold the exported files for a while")
    arguments = arguments.parse_args()

    fixtures = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures")
    bundled = sorted(glob.glob(os.path.join(glob.escape(fixtures), "*.nettrace*")))
    trace = arguments.trace or next(iter(bundled), None)
    if trace is None:
        sys.exit("there is no fixtures/*.nettrace* to export: name a recording")
    if arguments.scratch:
        os.makedirs(arguments.scratch, exist_ok=True)

    passed = failed = 0
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        for name, sql in QUERIES.items():
            try:
                rows, difference = check(arguments.casebook, trace, sql, os.path.join(folder, f"{name}.parquet"))
            except Exception as error:  # one broken query must not hide the others
                rows, difference = 0, f"{type(error).__name__}: {error}"
            if difference is None:
                passed += 1
                print(f"{name}: {rows} rows equal")
            else:
                failed += 1
                print(f"{name}: {difference}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

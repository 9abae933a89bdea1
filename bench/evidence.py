"""Simulate how often the gates decide wrongly and how soon they decide, with the production code.

``make bench-evidence`` runs all simulations; ``ARGS="--runs 200"`` makes it quick.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from bench import failing_users, false_decision_tables, fast_guard_tables, paired_tables, sample_tables
from bench.simulated_runs import Case, Row

TABLES: dict[str, Callable[[int], list[Case]]] = {
    "false decisions at the boundary": false_decision_tables.guarantees,
    "candidate samples until the decision (median)": sample_tables.power,
    "candidate samples until the decision, and those of a fixed test with foresight": sample_tables.foresight,
    "false decisions at the boundary, on the two copies of a request": paired_tables.guarantees,
    "pairs of copies until the decision, and those of a fixed paired test with foresight": paired_tables.foresight,
    "whole ramps with sticky users who differ, 1,000 requests an hour": paired_tables.user_ramps,
    "estimated number of missing samples, divided by the true one, from 200 on": sample_tables.estimated_samples,
    "every request fails: bad answers until the guard fires": fast_guard_tables.every_request_fails,
    "some answers fail: failed answers until the rollback": fast_guard_tables.some_answers_fail,
    "both sides fail: how often the candidate goes to 0": fast_guard_tables.outages,
    "one step: a sticky user whose requests fail at both sides": failing_users.steps,
}


def run_case(title: str, number: int, runs: int) -> list[Row]:
    """Run case ``number`` of the table ``title``, and return its rows.

    The arguments name the case, because the case itself cannot be sent to a worker process: it contains functions.
    """
    rows = TABLES[title](runs)[number]()
    for row in rows:
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs",
        type=int,
        default=1000,
        help="simulations per case of the first table, five times those of the other tables",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of worker processes")
    parser.add_argument("--only", default="", help="run only the cases of tables whose title contains this text")
    options = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = {}
        for title, of in TABLES.items():
            if options.only not in title:
                continue
            runs = (
                options.runs
                if of in (false_decision_tables.guarantees, paired_tables.guarantees)
                else max(20, options.runs // 5)
            )
            waiting[title] = [pool.submit(run_case, title, i, runs) for i in range(len(of(runs)))]
        tables = {title: [row for future in futures for row in future.result()] for title, futures in waiting.items()}
    for title, rows in tables.items():
        print(f"\n### {title}\n")
        _print(rows)
    ok = all(row["ok"] is not False for rows in tables.values() for row in rows)
    result = "every case is within its limit" if ok else "A CASE IS BEYOND ITS LIMIT"
    print(f"\n{result}; {time.monotonic() - began:.0f} s\n")
    print(json.dumps({"bench": "evidence", "ok": ok, **{k.replace(" ", "_"): v for k, v in tables.items()}}))
    return 0 if ok else 1


def _print(rows: list[Row]) -> None:
    keys = list(rows[0])
    print("| " + " | ".join(keys) + " |")
    print("|" + "---|" * len(keys))
    for row in rows:
        print("| " + " | ".join(_cell(row[key]) for key in keys) + " |")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if value is None:
        return "–"
    return (
        f"{value:.3g}"
        if isinstance(value, float) and value < 10
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )


if __name__ == "__main__":
    sys.exit(main())

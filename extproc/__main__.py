"""Entry point of one extproc worker. The supervisor starts it with ``python -m extproc FILE INDEX WORKERS``.

FILE is the configuration file, INDEX is the number of this worker (from 0), and WORKERS is the total number of workers.
"""

from __future__ import annotations

import asyncio
import sys

from extproc.supervisor import serve_child, with_workers
from glidepath.config import load_config
from glidepath.errors import GlidepathError


def main(arguments: list[str]) -> int:
    path, index, workers = arguments
    try:
        asyncio.run(serve_child(with_workers(load_config(path), int(workers)), int(index)))
    except GlidepathError as error:
        print(f"glidepath: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

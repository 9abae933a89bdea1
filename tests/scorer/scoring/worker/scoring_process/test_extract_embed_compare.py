"""Pairs become scores, or results with the reason why there is no score."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from glidepath.agreement_weights import shipped_weights
from glidepath.config import parse_config
from glidepath.pairs import Ending, PairKind
from glidepath.sides import Origin, Side
from scorer.scoring.compare import NoiseFloor
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext, score_pairs
from tests.support.answer_pairs import BAD_ENDINGS, LONG, answer, completion, noise_pair, pair
from tests.support.embedders import WordEmbedder


@pytest.fixture
def engine():
    return WordEmbedder()


@pytest.fixture
def context(valid_yaml, engine):
    return ScoringContext(parse_config(valid_yaml), engine)


def one(context, pair, **options):
    (outcome,) = score_pairs([pair], context, 5000, **options)
    return outcome.scored


def test_equal_answers_agree_fully_without_the_model(context, engine):
    scored = one(context, pair("a", LONG, LONG))
    assert scored.scored
    assert scored.agreement == 1.0
    assert engine.calls == []


def test_a_result_carries_the_digest_of_the_weights_of_its_workload(valid_yaml, engine, context, tmp_path):
    shipped = shipped_weights()
    other = replace(shipped, constant=shipped.constant - 5)
    (tmp_path / "weights.json").write_text(other.to_json())
    config = parse_config(valid_yaml)
    name = pair("a").workload
    section = config.workload(name)
    scoring = section.scoring.model_copy(update={"calibration": str(tmp_path / "weights.json")})
    changed = config.model_copy(
        update={"workloads": {**config.workloads, name: section.model_copy(update={"scoring": scoring})}}
    )
    before = one(context, pair("a", LONG, LONG + " It is not."))
    after = one(ScoringContext(changed, engine), pair("a", LONG, LONG + " It is not."))
    assert (before.weights, after.weights) == (shipped.digest, other.digest)
    assert after.agreement < before.agreement


def test_different_answers_are_embedded_and_the_result_names_the_engine(context, engine):
    scored = one(context, pair("a", LONG, "Bananas are yellow."))
    assert scored.agreement < 0.6
    assert scored.scorer == "words"
    assert len(engine.calls) == 1


def test_a_batch_goes_to_the_engine_in_one_call_with_each_text_once(context, engine):
    score_pairs([pair(str(i), LONG, f"Something else {i % 2}.") for i in range(6)], context, 5000)
    assert len(engine.calls) == 1
    assert len(set(engine.calls[0])) == len(engine.calls[0])


def test_a_side_that_gives_one_text_to_all_prompts_has_a_defect(context):
    prompts = (
        "Who wrote Faust?",
        "Add 2 and 2.",
        "Translate: dog",
        "Name a river.",
        "Why is the sky blue?",
        "Hi there",
    )
    bodies = [json.dumps({"messages": [{"role": "user", "content": text}]}).encode() for text in prompts]
    pairs = [
        pair(text, f"{text}: so it is.", LONG, request_body=body) for text, body in zip(prompts, bodies, strict=True)
    ]
    faults = [outcome.scored.candidate.faults for outcome in score_pairs(pairs, context, 5000)]
    assert ["repeated_answer" in found for found in faults] == [False] * 4 + [True] * 2
    again = score_pairs([replace(pairs[0], kind=PairKind.NOISE)], context, 5000)[0].scored
    assert "repeated_answer" not in again.candidate.faults


def test_results_are_in_the_order_of_the_pairs(context):
    pairs = [pair("a"), pair("b", workload="nobody"), pair("c")]
    assert [outcome.scored.pair_id for outcome in score_pairs(pairs, context, 5000)] == ["a", "b", "c"]


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        *(({"ending": ending}, ending.value) for ending in BAD_ENDINGS),
        ({"status": 503}, "status"),
        ({"status": 302}, "status"),
        ({"body_cut": True}, "cut"),
        ({"failed_over": True}, "failed_over"),
        ({"body": b""}, "empty_body"),
        ({"body": b'{"choices": [{"message": {"content": "Par'}, "truncated"),
        ({"body": b'{"error": {"message": "overloaded"}}'}, "error_body"),
        ({"body": b'{"what": "is this"}'}, "unsupported"),
    ],
)
def test_only_complete_answers_that_succeeded_are_scored(context, engine, side, change, reason):
    whole = pair("a")
    changed = (
        replace(whole, first=replace(whole.first, **change))
        if side is Side.BASELINE
        else replace(whole, second=replace(whole.second, **change))
    )
    scored = one(context, changed)
    assert not scored.scored
    assert scored.unscored_reason == f"{side.value}_{reason}"
    assert engine.calls == []


def test_the_result_says_how_each_copy_ended_and_whether_both_sides_got_one(context):
    whole = pair("a", both_copied=True)
    assert one(context, whole).both_copied
    late = one(context, replace(whole, second=replace(whole.second, ending=Ending.TIMEOUT, status=0, body=b"")))
    assert (late.unscored_reason, late.candidate.ending, late.both_copied) == (
        "candidate_timeout",
        Ending.TIMEOUT,
        True,
    )


def test_a_cut_request_is_not_scored(context):
    assert one(context, pair("a", request_cut=True)).unscored_reason == "request_cut"


def test_a_workload_that_is_no_longer_configured_is_not_scored(context):
    assert one(context, pair("a", workload="gone")).unscored_reason == "unknown_workload"


def test_facts_belong_to_their_side_whichever_backend_served_the_client(context):
    reverse = pair(
        "a",
        first=answer(Side.CANDIDATE, "It is Paris."),
        second=answer(Side.BASELINE, "Paris.", Origin.SHADOW, first_byte_ms=3.0),
    )
    scored = one(context, reverse)
    assert (scored.baseline.backend, scored.candidate.backend) == ("cloud", "onprem")
    assert (scored.baseline.origin, scored.baseline.first_byte_ms) == (Origin.SHADOW, 3.0)
    assert (scored.candidate.input_tokens, scored.candidate.output_tokens) == (7, 3)
    assert (scored.candidate.text_chars, scored.candidate.finish_reason) == (12, "stop")
    assert (scored.captured_at_ms, scored.scored_at_ms) == (1000, 5000)


def test_facts_of_one_side_are_kept_when_the_other_failed(context):
    scored = one(context, pair("a", second=answer(Side.CANDIDATE, ending=Ending.TIMEOUT, status=504, body=b"")))
    assert scored.baseline.output_tokens == 3
    assert scored.candidate.status == 504


def test_no_text_is_stored_unless_the_redaction_policy_allows_an_excerpt(context, valid_yaml, engine):
    assert one(context, pair("a")).baseline.excerpt == ""
    some = ScoringContext(parse_config(valid_yaml + "redaction: {excerpts: 3}\n"), engine)
    assert one(some, pair("a")).baseline.excerpt == "Par"


def test_a_lone_surrogate_in_an_excerpt_can_be_stored(valid_yaml, engine):
    some = ScoringContext(parse_config(valid_yaml + "redaction: {excerpts: 9}\n"), engine)
    body = completion("x").replace(b'"x"', b'"\\ud800x"')
    scored = one(some, pair("a", first=answer(Side.BASELINE, body=body)))
    scored.baseline.excerpt.encode()


def test_noise_pairs_are_scored_against_the_noise_floor_and_their_signals_do_not_depend_on_it(context):
    left, right = "The bill is 40 dollars and due in May.", "The bill is 70 dollars and due in May."
    floors = {"chat": NoiseFloor(100, {"numbers": 100}, 90.0)}
    cross = one(context, pair("a", left, right), floors=floors)
    noise = one(context, noise_pair("a", left, right), floors=floors)
    assert noise.kind is PairKind.NOISE
    assert noise.agreement == cross.agreement > one(context, noise_pair("b", left, right)).agreement
    assert noise.signals["numbers"] == one(context, noise_pair("c", left, right)).signals["numbers"]


def test_an_answer_in_a_custom_format_is_read_by_the_configured_jsonpath(valid_yaml, engine):
    text = valid_yaml + '    scoring: {answer: {jsonpath: "$.reply.words"}}\n'
    body = b'{"reply": {"words": "Paris."}}'
    own = {"body": body, "content_type": "application/json"}
    both = {"first": answer(Side.BASELINE, **own), "second": answer(Side.CANDIDATE, **own)}
    assert one(ScoringContext(parse_config(text), engine), pair("a", **both)).agreement == 1.0


def test_each_answer_is_judged_by_itself_whether_or_not_the_pair_has_a_score(context):
    refusal = "I'm sorry, but I can't help with that."
    (outcome,) = score_pairs([pair("scored", "It is Paris.", refusal)], context, 1)
    assert outcome.scored.scored
    assert (outcome.scored.baseline.faults, outcome.scored.candidate.faults) == ((), ("refusal",))
    broken = answer(Side.CANDIDATE, origin=Origin.SHADOW, content_type="text/html", body=b"<html>Sign in.</html>")
    (outcome,) = score_pairs([pair("unscored", refusal, second=broken)], context, 1)
    assert not outcome.scored.scored
    assert (outcome.scored.baseline.faults, outcome.scored.candidate.faults) == (("refusal",), ("web_page",))


@pytest.mark.parametrize("ending", BAD_ENDINGS)
def test_an_answer_that_did_not_end_by_itself_is_not_judged(context, ending):
    broken = answer(Side.CANDIDATE, origin=Origin.SHADOW, body=b"", ending=ending)
    (outcome,) = score_pairs([pair("one", second=broken)], context, 1)
    assert outcome.scored.candidate.faults == ()


def test_a_result_says_the_language_of_the_baselines_free_text(context):
    german = "Der Laden öffnet um neun Uhr und schließt um fünf. Am Sonntag bleibt er geschlossen."
    assert one(context, pair("a", german, "The shop opens at nine and closes at five.")).language == "de"
    assert one(context, pair("a", "42", "43")).language == ""


def test_contract_signals_stand_beside_the_others_and_change_no_agreement(context):
    named = completion("Paris.").replace(b'"m"', b'"other"')
    scored = one(context, pair("a", second=answer(Side.CANDIDATE, origin=Origin.SHADOW, body=named)))
    assert (scored.signals["contract_model"], scored.signals["contract_usage"]) == (1.0, 0.0)
    assert (scored.agreement, scored.flags) == (1.0, ())


def test_a_pair_with_an_error_has_the_signal_of_its_form_though_it_has_no_score(context):
    refused = answer(Side.CANDIDATE, origin=Origin.SHADOW, status=422, body=b'{"detail": "no such parameter"}')
    scored = one(context, pair("a", second=refused))
    assert (scored.scored, scored.signals) == (False, {"contract_error": 1.0})

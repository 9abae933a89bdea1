"""Records can be read back from their bytes; any other bytes raise InputError and no other error."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath import protobuf_codec, zstd
from glidepath.errors import InputError
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import AtFault, LocalReplies, Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Ending, Pair, PairKind
from glidepath.pb import glidepath_pb2 as pb
from glidepath.sides import Origin, Side
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage

text = st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.dictionaries(text, st.integers(0, 2**40), max_size=3)
milliseconds = st.floats(0, 1e6)
histograms = st.builds(
    Histogram, st.dictionaries(st.integers(-400, 1000), st.integers(1, 2**40), max_size=5), st.integers(0, 9)
)
answers = st.builds(
    Answer,
    side=st.sampled_from(Side),
    origin=st.sampled_from(Origin),
    backend=text,
    status=st.integers(0, 599),
    content_type=text,
    body=st.binary(max_size=50),
    body_cut=st.booleans(),
    ending=st.sampled_from(Ending),
    first_byte_ms=milliseconds,
    total_ms=milliseconds,
    error=text,
    failed_over=st.booleans(),
)
pairs = st.builds(
    Pair,
    id=text,
    workload=text,
    kind=st.sampled_from(PairKind),
    captured_at_ms=st.integers(0, 2**50),
    method=text,
    path=text,
    request_body=st.binary(max_size=50),
    first=answers,
    second=answers,
    request_cut=st.booleans(),
    request_content_type=text,
    sticky=text,
    served=text,
)
usages = st.builds(
    TokenUsage,
    *[st.integers(0, 2**40)] * 8,
    source=st.sampled_from(TokenSource),
    tier=st.sampled_from(ServiceTier),
    answers=st.integers(0, 2**40),
)
sides = st.builds(
    SideOutcomes,
    side=st.sampled_from(Side),
    origin=st.sampled_from(Origin),
    requests=st.integers(0, 2**40),
    errors=st.integers(0, 2**40),
    error_kinds=counts,
    client_aborts=st.integers(0, 9),
    failovers=st.integers(0, 9),
    latency_ms=histograms,
    ttft_ms=histograms,
    first_error_ms=st.integers(0, 2**50),
    rescued=st.integers(0, 2**40),
    rescues_failed=st.integers(0, 2**40),
    served=text,
    usage=st.lists(usages, max_size=2).map(tuple),
    sent_bytes=st.integers(0, 2**50),
    baseline_copies=st.integers(0, 2**40),
    baseline_copies_failed=st.integers(0, 2**40),
    failed_at_both=st.integers(0, 2**40),
)
replies = st.builds(
    LocalReplies, st.none() | st.sampled_from(Side), st.sampled_from(Origin), st.sampled_from(AtFault), counts
)
outcomes = st.builds(
    Outcomes,
    text,
    text,
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.tuples(sides),
    counts,
    st.tuples(replies),
)
facts = st.builds(
    AnswerFacts,
    origin=st.sampled_from(Origin),
    backend=text,
    total_ms=milliseconds,
    output_tokens=st.integers(0, 9),
    faults=st.lists(text, max_size=2).map(tuple),
)
scored = st.builds(
    ScoredPair,
    pair_id=text,
    workload=text,
    kind=st.sampled_from(PairKind),
    captured_at_ms=st.integers(0, 9),
    scored_at_ms=st.integers(0, 9),
    scored=st.booleans(),
    agreement=st.floats(0, 1),
    flags=st.tuples(text),
    signals=st.dictionaries(text, st.floats(0, 1), max_size=3),
    baseline=facts,
    candidate=facts,
    labels=st.dictionaries(text, text, max_size=2),
    served=text,
)


@given(pairs)
def test_a_pair_can_be_decoded_from_its_bytes(pair: Pair) -> None:
    assert protobuf_codec.decode_pair(protobuf_codec.encode_pair(pair)) == pair


@given(outcomes)
def test_outcomes_can_be_decoded_from_their_bytes(record: Outcomes) -> None:
    assert protobuf_codec.decode_outcomes(protobuf_codec.encode_outcomes(record)) == record


@pytest.mark.slow
@given(scored)
def test_a_scored_pair_can_be_decoded_from_its_bytes(record: ScoredPair) -> None:
    assert protobuf_codec.decode_scored(protobuf_codec.encode_scored(record)) == record


@pytest.mark.parametrize("agreement", [math.nan, math.inf, -math.inf, -0.1, 1.1])
def test_a_result_with_an_impossible_agreement_counts_as_unscored(agreement: float) -> None:
    stored = ScoredPair("p", "chat", PairKind.CROSS, 1, 2, True, agreement=agreement, signals={"a": math.nan, "b": 0.5})
    found = protobuf_codec.decode_scored(protobuf_codec.encode_scored(stored))
    assert (found.scored, found.unscored_reason, found.agreement) == (False, "invalid_agreement", 0.0)
    assert found.signals == {"b": 0.5}


def test_a_result_of_an_earlier_version_has_complete_answers() -> None:
    message = pb.ScoredPair(kind=pb.PAIR_KIND_CROSS)
    message.baseline.origin = message.candidate.origin = pb.ORIGIN_LIVE
    found = protobuf_codec.decode_scored(message.SerializeToString())
    assert (found.baseline.ending, found.candidate.ending, found.both_copied) == (*[Ending.COMPLETE] * 2, False)


@given(st.binary(max_size=200))
def test_random_bytes_are_an_input_error_or_a_record(data: bytes) -> None:
    for decode in (protobuf_codec.decode_pair, protobuf_codec.decode_outcomes, protobuf_codec.decode_scored):
        try:
            decode(data)
        except InputError:
            continue


@given(st.binary(max_size=200))
def test_random_bytes_inside_zstd_are_an_input_error_or_a_pair(data: bytes) -> None:
    try:
        protobuf_codec.decode_pair(zstd.compress(data))
    except InputError:
        return


def test_a_decompression_bomb_is_refused() -> None:
    bomb = zstd.compress(bytes(protobuf_codec.MAX_PAIR_BYTES + 1))
    with pytest.raises(InputError, match="more than"):
        protobuf_codec.decode_pair(bomb)


@pytest.mark.process
def test_the_generated_code_matches_the_proto_file(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = ["-m", "grpc_tools.protoc", "-Iproto", f"--python_out={tmp_path}", "proto/glidepath.proto"]
    subprocess.run([sys.executable, *command], cwd=root, check=True, timeout=60)

    def descriptor(folder: Path) -> str:
        lines = (folder / "glidepath_pb2.py").read_text().splitlines()
        return next(line for line in lines if line.startswith("DESCRIPTOR = "))

    assert descriptor(root / "glidepath" / "pb") == descriptor(tmp_path), "run: make proto"

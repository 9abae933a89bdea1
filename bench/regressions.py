"""Measure which harmful changes the scorer detects, and which the plain cosine detects: ``make bench-regressions``.

Real answers are rewritten harmlessly and changed harmfully, with a seeded random generator. The threshold is set so
that at most 2 % of the harmless rewrites have an agreement below it. A harmful change is detected if its agreement is
below the threshold. The plain cosine of the same embedding model gets its own threshold in the same way. ``--texts
FILE.jsonl`` takes the answers from a file of pairs instead of answers.txt.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import mutations, planted_passages
from bench.planted_passages import Planted
from glidepath.config.comparison import ScoringSection
from glidepath.config.processes import EmbedderSection
from scorer.scoring.answers import Choice, Expectation, Extracted, Surface, extract
from scorer.scoring.compare import Comparison, LearnedParameters, compare, texts_to_embed
from scorer.scoring.embed import Embedder, VectorCache, embed_texts, load_embedder, traits_of

ANSWERS = Path(__file__).with_name("answers.txt")
GOALS = {
    "numbers": 0.9, "negation": 0.8, "swapped_words": 0.9, "names": 0.9, "loops": 0.9, "template_leaks": 0.9,
    "truncation": 0.9,
    "refusal": 1.0, "empty": 1.0, "garbled": 1.0, "wrong_language": 1.0,
    "units": 0.9, "signs": 0.9, "dates": 0.9, "code_operators": 0.9, "symbols": 0.9, "addresses": 0.9, "omissions": 0.9,
    "opposites_held_out": 0.0,  # shown without a goal: the scorer's word lists lack these pairs
}  # fmt: skip
FALSE_ALARMS = 0.02
HARMLESS: dict[str, Planted] = {**mutations.HARMLESS, **planted_passages.HARMLESS}
HARMFUL: dict[str, Planted] = {**mutations.HARMFUL, **planted_passages.HARMFUL}


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    agreement: float
    cosine: float
    flags: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the changes")
    parser.add_argument("--rounds", type=int, default=3, help="number of changed versions per text and kind")
    parser.add_argument("--engine", default="onnxruntime", help="embedding engine")
    parser.add_argument("--texts", type=Path, help="a JSONL file of pairs; both answers of each pair are used")
    options = parser.parse_args(arguments)
    texts = _from_pairs(options.texts) if options.texts else read_answers(ANSWERS)
    embedder = load_embedder(EmbedderSection(engine=options.engine))
    started = time.perf_counter()
    harmless = run(HARMLESS, texts, options.rounds, options.seed, embedder)
    harmful = run(HARMFUL, texts, options.rounds, options.seed, embedder)
    report = judge(harmless, harmful)
    report |= {"texts": len(texts), "seed": options.seed, "seconds": round(time.perf_counter() - started, 1)}
    print_table(report)
    print(json.dumps(report))
    return 0 if report["goals_met"] else 1


def read_answers(path: Path) -> list[str]:
    """Return the answers in a file. In the file, a line ``%% kind`` precedes each answer."""
    return [part.split("\n", 1)[1].strip() for part in path.read_text().split("%% ") if "\n" in part]


def _from_pairs(path: Path) -> list[str]:
    found: list[str] = []
    for line in path.read_text().splitlines():
        pair = json.loads(line)
        for side in ("baseline", "candidate"):
            body = pair[side] if isinstance(pair[side], str) else json.dumps(pair[side])
            answer = extract(path="", content_type="", status=200, request_body=b"{}", response_body=body.encode())
            if isinstance(answer, Extracted) and len(answer.text) > 40:
                found.append(answer.text)
    return found


def run(kinds: Mapping[str, Planted], texts: Sequence[str], rounds: int, seed: int, embedder: Embedder) -> list[Case]:
    """Change every text in every way, ``rounds`` times with different random choices, and compare before and after.

    Return one case for each comparison. Equal comparisons are made only once.
    """
    cache = VectorCache()
    cases: list[Case] = []
    for kind, mutate in kinds.items():
        seen: set[tuple[int, str]] = set()
        for index, text in enumerate(texts):
            for round_ in range(rounds):
                changed = mutate(text, random.Random(zlib.crc32(f"{seed}/{kind}/{index}/{round_}".encode())))
                if changed is None:
                    continue
                before, after = (text, changed) if isinstance(changed, str) else changed
                if (index, before + after) not in seen:
                    seen.add((index, before + after))
                    cases.append(_case(kind, before, after, embedder, cache))
        print(f"{kind}: {sum(c.kind == kind for c in cases)}", file=sys.stderr)
    return cases


def _case(kind: str, text: str, changed: str, embedder: Embedder, cache: VectorCache) -> Case:
    result = compared(text, changed, embedder, cache)
    return Case(kind, result.agreement, plain_cosine(text, changed, embedder, cache), result.flags)


def compared(left: str, right: str, embedder: Embedder, cache: VectorCache) -> Comparison:
    """Compare two texts as answers of a chat, with the default settings."""
    answers = [Extracted(Surface.OPENAI_CHAT, (Choice(text),)) for text in (left, right)]
    expected, settings = Expectation(), ScoringSection()
    wanted = texts_to_embed("chat", expected, *answers)
    vectors = dict(zip(wanted, embed_texts(embedder, wanted, cache), strict=True)) if wanted else {}
    result = compare(
        "chat", settings, expected, *answers, vectors, LearnedParameters(cosine_map=traits_of(embedder).cosine_map)
    )
    if not isinstance(result, Comparison):
        raise TypeError(f"{left[:60]!r}, {right[:60]!r}: {result}")
    return result


def plain_cosine(left: str, right: str, embedder: Embedder, cache: VectorCache) -> float:
    """Return the cosine similarity that a naive scorer computes: from one vector for each text.

    A text is not normalised. If it is longer than the limit of the model, only its beginning counts.
    """
    if not right.strip():
        return 0.0
    a, b = embed_texts(embedder, [left, right], cache)
    naive = [vectors if len(vectors) else embedder.embed([text]) for vectors, text in ((a, left), (b, right))]
    return float(naive[0][0] @ naive[1][0])


def judge(harmless: Sequence[Case], harmful: Sequence[Case]) -> dict[str, object]:
    """Set the thresholds from the harmless cases, and return a report with the detected share of each harmful kind."""
    threshold = alarm_threshold([c.agreement for c in harmless])
    cosine = alarm_threshold([c.cosine for c in harmless])
    kinds = {
        kind: {
            "cases": len(rows),
            "caught": _share(c.agreement < threshold for c in rows),
            "cosine_caught": _share(c.cosine < cosine for c in rows),
            "flagged": _share(bool(c.flags) for c in rows),
            "goal": GOALS[kind],
            "max_agreement": round(max((c.agreement for c in rows), default=0.0), 4),
        }
        for kind in GOALS
        if (rows := [c for c in harmful if c.kind == kind])
    }
    return {
        "benchmark": "regressions",
        "harmless": len(harmless),
        "harmless_flagged": _share(bool(c.flags) for c in harmless),
        "threshold": round(threshold, 4),
        "false_alarms": _share(c.agreement < threshold for c in harmless),
        "cosine_threshold": round(cosine, 4),
        "cosine_false_alarms": _share(c.cosine < cosine for c in harmless),
        "kinds": kinds,
        "goals_met": all(row["caught"] >= row["goal"] for row in kinds.values()),
    }


def alarm_threshold(scores: Sequence[float]) -> float:
    """Return the highest threshold that leaves at most the share FALSE_ALARMS of ``scores`` below it."""
    ordered = np.sort(np.asarray(scores))
    return float(ordered[int(len(ordered) * FALSE_ALARMS)])


def _share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return round(sum(found) / len(found), 4) if found else 0.0


def print_table(report: dict[str, object]) -> None:
    kinds = report["kinds"]
    assert isinstance(kinds, dict)
    print(
        f"{report['texts']} texts; {report['harmless']} harmless rewrites: {report['false_alarms']:.1%} false alarms "
        f"below agreement {report['threshold']:.3f}; cosine {report['cosine_false_alarms']:.1%} below "
        f"{report['cosine_threshold']:.4f}\n"
    )
    print(f"{'kind':<16}{'cases':>7}{'detected':>11}{'cosine':>9}{'flagged':>9}{'goal':>7}")
    for kind, row in kinds.items():
        print(
            f"{kind:<16}{row['cases']:>7}{row['caught']:>11.1%}{row['cosine_caught']:>9.1%}"
            f"{row['flagged']:>9.1%}{row['goal']:>7.0%}"
        )
    print()


if __name__ == "__main__":
    sys.exit(main())

"""Labels: people's judgements of whether the candidate's answer of a pair is acceptable in place of the baseline's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from glidepath.config.retention import RetentionSection
from glidepath.errors import InputError
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

# KEYS: labels, labels:times.  ARGV: labels kept, the pair's id, its label, the label's time (ms).
_LABEL = """
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
local oldest = redis.call('ZRANGE', KEYS[2], 0, -1 - ARGV[1])
for _, id in ipairs(oldest) do redis.call('HDEL', KEYS[1], id) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[1])
return #oldest
"""


class Judgement(StrEnum):
    """Whether the candidate's answer of a pair may replace the baseline's."""

    ACCEPTABLE = "acceptable"
    NOT = "not"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class PairLabel:
    """A person's judgement of a pair. ``who``: the person, as USER@HOST. ``at_ms``: the time in Unix ms."""

    pair_id: str
    label: Judgement
    who: str
    at_ms: int
    note: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def label_from_json(text: str | bytes) -> PairLabel:
    """Return the label in a JSON text. Raises InputError for any other text."""
    try:
        raw = json.loads(text)
        names = {name: str(raw[name]) for name in ("pair_id", "who", "note")}
        return PairLabel(label=Judgement(raw["label"]), at_ms=int(raw["at_ms"]), **names)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"not a label of a pair: {error}") from error


async def store_label(client: RedisClient, workload: str, retention: RetentionSection, label: PairLabel) -> int:
    """Store the label, replacing an earlier label of the pair. Return how many of the oldest labels were removed.

    Raises RedisError or OSError.
    """
    keys = WorkloadKeys(workload)
    arguments = (retention.labels, label.pair_id, label.to_json(), label.at_ms)
    return int(await client.eval(_LABEL, 2, keys.labels, keys.label_times, *arguments))


async def read_labels(client: RedisClient, workload: str, newest: int) -> Mapping[str, PairLabel]:
    """Return the latest labels by pair id, at most ``newest``, the newest first. Unreadable labels are left out.

    Raises RedisError or OSError.
    """
    keys = WorkloadKeys(workload)
    ids = await client.zrange(keys.label_times, 0, newest - 1, desc=True)
    raw = await client.hmget(keys.labels, ids) if ids else []
    found: dict[str, PairLabel] = {}
    for text in raw:
        if text is not None:
            try:
                label = label_from_json(text)
            except InputError:
                continue
            found[label.pair_id] = label
    return found

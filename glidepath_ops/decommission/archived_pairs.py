"""Reads the data that the archive of a decommissioning keeps: people's labels, and the kept pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from glidepath.config import Config
from glidepath.pair_labels import read_labels
from glidepath.pair_scores import ScoredPair
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.decommission.archive import as_lines
from glidepath_ops.pairs.pair_dataset import line_of, record_of
from glidepath_ops.pairs.read_pairs import count_results, labelled_without_result, newest_results, with_body


@dataclass(frozen=True, slots=True)
class ArchivedPairs:
    """``labels``, ``pairs``: the numbers of labels and pairs. ``files``: the files of the archive, by name."""

    labels: int
    pairs: int
    files: dict[str, bytes]


async def archived_pairs(config: Config, client: RedisClient, workload: str) -> ArchivedPairs:
    """Return all labels of a workload, and its kept and labelled pairs in the format of ``glidepath pairs export``.

    The texts are redacted as they are stored. If the bodies of a labelled pair have expired, only its label is
    returned. ``retention`` limits the number and the bytes of kept pairs. Raises RedisError or OSError.
    """
    labels = await read_labels(client, workload, config.retention.labels)
    kept = await client.zrange(WorkloadKeys(workload).kept_times, 0, -1)
    wanted = {*labels, *(pair_id.decode("utf-8", "replace") for pair_id in kept)}
    results: dict[str, ScoredPair] = {}
    async for result in newest_results(client, workload, await count_results(client, workload) if wanted else 0):
        if result.pair_id in wanted:
            results.setdefault(result.pair_id, result)
    found = [*results.values(), *await labelled_without_result(client, workload, list(results.values()), wanted)]
    lines = []
    for result in found:
        stored = await with_body(client, workload, result)
        if stored.pair is not None:
            record = record_of(config.workload(workload), stored.pair, result, labels.get(result.pair_id))
            lines.append(line_of(record))
    judgements = as_lines([asdict(label) for label in labels.values()])
    return ArchivedPairs(len(labels), len(lines), {"labels.jsonl": judgements, "pairs.jsonl": b"".join(lines)})

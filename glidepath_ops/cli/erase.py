"""``glidepath erase``: erase the stored pairs of one user, or of one request."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from extproc.workloads import build_workloads
from glidepath.config import Config
from glidepath.counted_nouns import number_of
from glidepath.errors import InputError
from glidepath.feedback import user_digest
from glidepath.redisio import RedisClient
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadFilter
from glidepath_ops.pairs.erase_pairs import Erased, Erasure, digests_in_envoy, erase


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    user: Annotated[
        str,
        typer.Option(
            "--user",
            help="The user's sticky value: the value of the sticky header, or of the sticky key in the body.",
        ),
    ] = "",
    request_id: Annotated[str, typer.Option("--request-id", help="The x-request-id of a request.")] = "",
    workload: WorkloadFilter = None,
    as_json: AsJson = False,
) -> None:
    """Erase the stored pairs of one user, or of one request.

    Without --workload, they are erased in all workloads. Requests, both answers, results, kept copies, labels and
    feedback are erased. Redis has only a digest of a user's sticky value. Set extproc.sticky_key to keep this digest
    constant. Without it, a change of the configuration changes the digest, and older pairs are not found. Pairs of
    requests without a sticky value cannot be found by user.
    """
    if bool(user) == bool(request_id):
        raise InputError("erase: give exactly one of --user VALUE and --request-id ID")

    async def work(settings: Config, redis: RedisClient) -> dict[str, Erased]:
        names = [workload] if workload else list(settings.workloads)
        for name in names:
            settings.workload(name)
        return {name: await erase(redis, name, _erasure(settings, name, user, request_id)) for name in names}

    found = with_redis(config, work, "erasing")
    if as_json:
        typer.echo(json.dumps({name: _counts(erased) for name, erased in found.items()}))
        return
    for name, erased in found.items():
        unread = f"; {number_of(erased.unreadable, 'record')} cannot be read and were kept" if erased.unreadable else ""
        kept, labels = number_of(erased.kept, "kept pair"), number_of(erased.labels, "label")
        pairs, results = number_of(erased.pairs, "pair"), number_of(erased.results, "result")
        feedback = f"feedback on {number_of(erased.feedback, 'request')}"
        typer.echo(f"{name}: erased {pairs}, {results}, {kept}, {labels}, {feedback}{unread}")


def _erasure(settings: Config, workload: str, user: str, request_id: str) -> Erasure:
    if not user:
        return Erasure(request_id=request_id)
    info = build_workloads(settings)[workload]
    sticky = settings.workload(workload).sticky
    from_body = sticky is not None and sticky.from_body
    values = digests_in_envoy(user) if from_body else {user}
    return Erasure(frozenset(map(info.sticky, values)), feedback_user=user_digest(workload, user))


def _counts(erased: Erased) -> dict[str, int]:
    names = ("pairs", "results", "kept", "labels", "feedback", "unreadable")
    return {name: getattr(erased, name) for name in names}

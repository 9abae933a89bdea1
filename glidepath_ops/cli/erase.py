"""``glidepath erase``: erase the stored pairs of one user, or of one request."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from extproc.workloads import build_workloads, digest_in_removed_workload
from glidepath.config import Config
from glidepath.errors import InputError
from glidepath.feedback import user_digest
from glidepath.pluralization import number_of
from glidepath.redisio import RedisClient
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadFilter
from glidepath_ops.pairs.erase_pairs import Erased, Erasure, digests_in_envoy, erase
from glidepath_ops.pairs.stored_workloads import stored_workloads

_NO_KEY = (
    "glidepath: extproc.sticky_key is not set, so pairs from before the last change of a workload's configuration are "
    "not found by user"
)


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    user: Annotated[
        str,
        typer.Option(
            "--user",
            help="The user's sticky value, in plain text: the value of the header, or of the key in the body, that the "
            "workload's sticky section names.",
        ),
    ] = "",
    request_id: Annotated[str, typer.Option("--request-id", help="The x-request-id of a request.")] = "",
    workload: WorkloadFilter = None,
    as_json: AsJson = False,
) -> None:
    """Erase the stored pairs of one user, or of one request.

    Without --workload, they are erased in all workloads, including those that are in Redis but no longer in the
    configuration. Requests, both answers, results, kept pairs, labels and feedback are erased. Redis has only a keyed
    digest of a user's sticky value. Set extproc.sticky_key to keep this key constant. Without it, a
    change of the configuration changes the key, and pairs from before the change are not found. Pairs of requests
    without a sticky value cannot be found by user.
    """
    if bool(user) == bool(request_id):
        raise InputError("erase: give exactly one of --user VALUE and --request-id ID")

    async def work(settings: Config, redis: RedisClient) -> dict[str, Erased]:
        stored = await stored_workloads(redis)
        if workload and workload not in stored:
            settings.workload(workload)
        names = [workload] if workload else [*settings.workloads, *sorted(stored - settings.workloads.keys())]
        if user and settings.extproc.sticky_key is None:
            typer.echo(_NO_KEY, err=True)
        return {name: await erase(redis, name, erasure(settings, name, user, request_id)) for name in names}

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


def erasure(settings: Config, workload: str, user: str, request_id: str) -> Erasure:
    """Return the selection of the pairs of a user, or of a request, in one workload.

    A user's value may have come from a header or from a body, because ``sticky`` may have changed since.
    """
    if not user:
        return Erasure(request_id=request_id)
    values = {user, *digests_in_envoy(user)}
    if workload in settings.workloads:
        digests = frozenset(map(build_workloads(settings)[workload].sticky, values))
    else:
        digests = frozenset(digest_in_removed_workload(settings, workload, value) for value in values)
    return Erasure(digests - {""}, feedback_user=user_digest(workload, user))


def _counts(erased: Erased) -> dict[str, int]:
    names = ("pairs", "results", "kept", "labels", "feedback", "unreadable")
    return {name: getattr(erased, name) for name in names}

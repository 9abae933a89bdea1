"""The checks of ``glidepath doctor`` on writes to Redis: whether Redis accepts them, and whether it keeps them.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from glidepath_ops.doctor.facts import Finding, RedisFacts, fail, ok, warn

NEARLY_FULL = 0.9  # the share of its memory limit above which Redis may soon be full


def examine_storage(subject: str, redis: RedisFacts) -> Iterator[Finding]:
    yield _role(subject, redis)
    yield _eviction(subject, redis)
    yield _memory(subject, redis)
    yield _persistence(subject, redis)


def _eviction(subject: str, redis: RedisFacts) -> Finding:
    check, policy = "memory policy", redis.eviction
    if policy is None:
        return warn(
            subject,
            check,
            "CONFIG is not allowed on this server",
            "make sure that maxmemory-policy is noeviction",
        )
    if policy.startswith("allkeys"):
        remedy = "set maxmemory-policy noeviction: otherwise Redis can evict the state of a ramp"
        return fail(subject, check, policy, remedy)
    return ok(subject, check, policy)


def _memory(subject: str, redis: RedisFacts) -> Finding:
    check, used, limit = "memory", redis.used_memory, redis.max_memory
    if used is None:
        return warn(subject, check, "INFO does not say it", "watch it where this server is managed")
    if not limit:
        return ok(subject, check, f"{used / 2**20:.0f} MiB used, no limit")
    detail = f"{used / 2**20:.0f} of {limit / 2**20:.0f} MiB used"
    if used > limit and redis.eviction in (None, "noeviction"):
        remedy = "raise maxmemory, or lower retention and restart extproc: no pair is stored, and no step is safe"
        return fail(subject, check, f"{detail}, so Redis refuses writes", remedy)
    if used > NEARLY_FULL * limit:
        return warn(subject, check, detail, "raise maxmemory, or lower retention.bytes and retention.pairs")
    return ok(subject, check, detail)


def _role(subject: str, redis: RedisFacts) -> Finding:
    check = "role"
    if redis.replica_of:
        detail = f"a read-only replica of {redis.replica_of}, so Redis refuses writes"
        return fail(subject, check, detail, "give the primary's address in redis.url")
    return ok(subject, check, "takes writes")


def _persistence(subject: str, redis: RedisFacts) -> Finding:
    check = "persistence"
    if redis.append_failed:
        detail = "the last write to the append-only file failed, so Redis refuses all writes"
        return fail(subject, check, detail, "free space on the disk of Redis: until then, no scorer can steer")
    if redis.append_only is None:
        return warn(subject, check, "CONFIG is not allowed on this server", "make sure that appendonly is yes")
    if redis.append_only:
        return ok(subject, check, "append-only file")
    if redis.snapshots:
        remedy = "set appendonly yes: a restart loses the data since the last snapshot"
        return warn(subject, check, "snapshots only", remedy)
    remedy = "set appendonly yes: a restart loses the ramp, the evidence and the decision log"
    return fail(subject, check, "none", remedy)

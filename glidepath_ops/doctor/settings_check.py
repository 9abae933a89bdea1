"""The check whether the scorer steers by the settings in the file, or by those that it read when it started. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from glidepath.config import Config
from glidepath_ops.doctor.facts import Finding, RedisFacts, fail, ok


def examine_settings(config: Config, redis: RedisFacts) -> Iterator[Finding]:
    """Report for each workload that has a status whether the file has the settings by which the scorer decides."""
    for name, steered_by in redis.digests.items():
        subject, check = f"workload {name}", "settings"
        here = config.digest(name)
        if steered_by in ("", here):
            yield ok(subject, check, f"the scorer decides by those of this file (digest {here})")
            continue
        detail = f"the scorer decides by other settings (digest {steered_by}) than this file has ({here})"
        remedy = "restart `glidepath scorer` and extproc, or `glidepath up`: each process reads the file when it starts"
        yield fail(subject, check, detail, remedy)

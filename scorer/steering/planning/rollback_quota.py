"""Check whether a rollback of all workloads to 0 % would fit the quotas of the baselines' providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.config import Config, Workload

_MINUTE = 60


@dataclass(frozen=True, slots=True)
class RollbackLoad:
    """The load of a baseline if all its workloads are back at 0 %, and the quota that it must fit, both per minute.

    - ``requests``: the requests of the workloads whose rate is known; None if no rate is known
    - ``tokens``: the tokens of these workloads; None also if the tokens of one of them are unknown
    - ``unknown``: the workloads that are left out because their rate is unknown
    """

    backend: str
    requests: float | None
    requests_quota: int | None
    tokens: float | None
    tokens_quota: int | None
    unknown: tuple[str, ...] = ()

    @property
    def fits(self) -> bool | None:
        """Whether the load fits both quotas; None if this is unknown."""
        pairs = ((self.requests, self.requests_quota), (self.tokens, self.tokens_quota))
        if any(load is not None and quota is not None and load > quota for load, quota in pairs):
            return False
        known = all(load is not None for load, quota in pairs if quota is not None)
        return True if known and not self.unknown else None

    def __str__(self) -> str:
        parts = [
            f"{'unknown' if load is None else f'{load:,.0f}'} {what} a minute of {quota:,}"
            for what, load, quota in (
                ("requests", self.requests, self.requests_quota),
                ("tokens", self.tokens, self.tokens_quota),
            )
            if quota is not None
        ]
        text = f"after a rollback to {self.backend}: {', '.join(parts)}"
        if self.unknown:
            text += f", without {', '.join(self.unknown)} (--rate)"
        if self.fits is False:
            text += "; a rollback to 0 % would get 429s: raise the quota before the ramp, and keep it until its end"
        return text


def rollback_loads(config: Config, rates: Mapping[str, float], tokens: Mapping[str, float]) -> list[RollbackLoad]:
    """Return the load after a rollback for each backend that has a quota and is the baseline of a workload.

    ``rates``: the requests per second of workloads. ``tokens``: the mean tokens of a request with its answer.
    """
    found = []
    for name, backend in config.backends.items():
        served = {key: one for key, one in config.workloads.items() if one.baseline == name}
        if backend.quota is None or not served:
            continue
        known = {key: requests_at_zero(one, rates[key]) for key, one in served.items() if key in rates}
        all_tokens = all(key in tokens for key in known)
        found.append(
            RollbackLoad(
                backend=name,
                requests=sum(known.values()) if known else None,
                requests_quota=backend.quota.requests,
                tokens=sum(number * tokens[key] for key, number in known.items()) if known and all_tokens else None,
                tokens_quota=backend.quota.tokens,
                unknown=tuple(key for key in served if key not in rates),
            )
        )
    return found


def requests_at_zero(workload: Workload, rate: float) -> float:
    """Return the baseline's requests per minute at 0 %: all clients' requests, and the copies for the noise floor."""
    shadow = workload.shadow
    return rate * _MINUTE * (1 + shadow.sample / 100 * shadow.same_side / 100)

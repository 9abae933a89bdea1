"""Renders Envoy's outlier detection on the cluster of a candidate (``backends.X.outlier_detection``). See ADR 0292."""

from __future__ import annotations

from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import seconds

_ALL, _HALF = 100, 50  # percent of the endpoints


def outlier_detection(config: Config, name: str) -> Json:
    """Return the outlier detection entries of the backend's cluster, or {} without outlier detection.

    All endpoints may be ejected only if the baseline can then serve every request. Otherwise at most half of them may
    be ejected. So a single endpoint is kept, because without any endpoint Envoy would answer with 503.
    """
    section = config.backends[name].outlier_detection
    if section is None:
        return {}
    whole = may_be_ejected_whole(config, name)
    why = "The baseline serves what an ejected endpoint would get." if whole else "A single endpoint is never ejected."
    detection = {
        "consecutive_5xx": section.failures,
        "enforcing_consecutive_5xx": 100,
        "consecutive_gateway_failure": section.failures,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_success_rate": 0,  # by failures in a row only, because a candidate has few endpoints
        "interval": "1s",
        "base_ejection_time": seconds(section.time),
        "max_ejection_time": seconds(section.time),
        "max_ejection_percent": _ALL if whole else _HALF,
    }
    found: Json = {"outlier_detection": with_comment(why, detection)}
    if whole:  # below this threshold, Envoy would use ejected endpoints
        found["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
    return found


def may_be_ejected_whole(config: Config, name: str) -> bool:
    """Return whether Envoy may eject all endpoints of the backend ``name``.

    This is allowed if the baseline then serves all live requests that the backend would get.
    """
    workloads = config.workloads.values()
    serves_alone = name == config.envoy.default_backend or any(w.baseline == name for w in workloads)
    return not serves_alone and all(w.fallback for w in workloads if w.candidate == name)

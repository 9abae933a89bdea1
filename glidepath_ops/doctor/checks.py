"""The checks of ``glidepath doctor``. They do no I/O: they turn facts about Envoys and Redis into findings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config
from glidepath.scorer_groups import group_label, group_problem
from glidepath_ops.doctor.facts import EnvoyFacts, Finding, RedisFacts, fail, ok, warn

KNOWN_GOOD = (1, 40)
OLDEST = (1, 36)  # the first version with every extension that Glidepath uses
MAX_SKEW_S = 2.0
STALE_STATUS_S = 15.0
RENDER = "render the configuration again (`glidepath render`) and restart or reload this Envoy"


def examine(config: Config, envoys: Iterable[EnvoyFacts], redis: RedisFacts) -> list[Finding]:
    """Return the findings on each Envoy, then the findings on Redis.

    The findings on an Envoy are in the order in which a request passes through the parts of Envoy.
    """
    findings: list[Finding] = []
    for envoy in envoys:
        findings += examine_envoy(config, envoy)
    return findings + list(examine_redis(redis))


def examine_envoy(config: Config, envoy: EnvoyFacts) -> list[Finding]:
    subject = f"envoy {envoy.url}"
    if envoy.error:
        remedy = "start it, or correct envoy.admin in the configuration"
        return [fail(subject, "reachable", envoy.error, remedy)]
    findings = [
        _version(subject, envoy),
        _steerable(subject, config, envoy),
        _admin_exposed(subject, envoy),
        _clock(subject, "clock", envoy.clock_skew_s),
        _filter(subject, envoy),
        *_extproc_cluster(subject, envoy),
        _access_log(subject, envoy),
    ]
    for name in config.workloads:
        findings += _workload(subject, config, name, envoy)
    return findings


def _version(subject: str, envoy: EnvoyFacts) -> Finding:
    text = str(envoy.server_info.get("version", ""))
    match = re.search(r"/(\d+)\.(\d+)\.", text)
    if match is None:
        return warn(subject, "version", f"unknown format: {text!r}", "check that this is an Envoy")
    version = (int(match[1]), int(match[2]))
    shown = f"{version[0]}.{version[1]}"
    if version < OLDEST:
        return fail(subject, "version", shown, f"use Envoy {OLDEST[0]}.{OLDEST[1]} or newer")
    if version < KNOWN_GOOD:
        return warn(subject, "version", f"{shown}; tested with 1.40", "upgrade when possible")
    return ok(subject, "version", shown)


def _steerable(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    layers = envoy.bootstrap.get("layered_runtime", {}).get("layers", [])
    kinds = {kind for layer in layers for kind in ("admin_layer", "rtds_layer") if kind in layer}
    wanted = "rtds_layer" if config.envoy.actuator == "rtds" else "admin_layer"
    if wanted in kinds:
        return ok(subject, "runtime layer", f"has an {wanted}")
    remedy = f"add an {wanted} to the bootstrap's layered_runtime, or set envoy.actuator to match an existing layer"
    found = ", ".join(sorted(kinds)) or "no changeable layer"
    return fail(subject, "runtime layer", f"no {wanted} (found: {found})", remedy)


def _admin_exposed(subject: str, envoy: EnvoyFacts) -> Finding:
    address = envoy.bootstrap.get("admin", {}).get("address", {})
    host = address.get("socket_address", {}).get("address", "")
    if "pipe" in address:
        return ok(subject, "admin exposure", "a Unix socket")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        return warn(subject, "admin exposure", "the dump has no address of the admin API", "check the bootstrap")
    if local:
        return ok(subject, "admin exposure", f"listens on {host}")
    remedy = "bind it to 127.0.0.1 or a Unix socket: anyone who can reach it can move all traffic and stop Envoy"
    return warn(subject, "admin exposure", f"listens on {host}", remedy)


def _clock(subject: str, check: str, skew: float | None) -> Finding:
    if skew is None:
        return warn(subject, check, "its time could not be read", "check whether a proxy is in between")
    if abs(skew) > MAX_SKEW_S:
        detail = f"{skew:+.1f} s from this machine's clock"
        return warn(subject, check, detail, "synchronise both clocks by NTP: holds and latencies depend on them")
    return ok(subject, check, f"{skew:+.1f} s")


def _filter(subject: str, envoy: EnvoyFacts) -> Finding:
    check = "ext_proc filter"
    for manager in envoy.connection_managers():
        chain = list(manager.get("http_filters", []))
        for index, http_filter in enumerate(chain):
            config = http_filter.get("typed_config", {})
            if not _sends_to_extproc(config):
                continue
            if not config.get("observability_mode"):
                detail = "observability_mode is off: every request waits for extproc"
                return fail(subject, check, detail, RENDER)
            behind = [str(f.get("name")) for f in chain[index + 1 :] if not _changes_no_body(f.get("typed_config", {}))]
            if behind:
                remedy = (
                    "move it directly before the router, so that it captures requests as they are sent to the backend"
                )
                return warn(subject, check, f"these filters come after it: {', '.join(behind)}", remedy)
            return ok(subject, check, "observability mode, and no later filter changes a body")
    return fail(subject, check, "no ext_proc filter sends to glidepath-extproc", RENDER)


def _changes_no_body(config: Mapping[str, Any]) -> bool:
    """Return whether the HTTP filter with this configuration changes no body: the router, or a header mutation."""
    return str(config.get("@type", "")).endswith((".Router", ".HeaderMutation"))


def _sends_to_extproc(config: Mapping[str, Any]) -> bool:
    if not str(config.get("@type", "")).endswith("ExternalProcessor"):
        return False
    target = config.get("grpc_service", {}).get("envoy_grpc", {}).get("cluster_name")
    return bool(target == envoy_names.EXTPROC_CLUSTER)


def _extproc_cluster(subject: str, envoy: EnvoyFacts) -> Iterator[Finding]:
    cluster = envoy.cluster_config(envoy_names.EXTPROC_CLUSTER)
    if cluster is None:
        yield fail(subject, "ext_proc cluster", f"no cluster {envoy_names.EXTPROC_CLUSTER}", RENDER)
        return
    http2 = "http2_protocol_options" in str(cluster)
    if http2:
        yield ok(subject, "ext_proc cluster", "HTTP/2")
    else:
        yield fail(subject, "ext_proc cluster", "not HTTP/2, which gRPC needs", RENDER)
    yield _extproc_health(subject, envoy)


def _extproc_health(subject: str, envoy: EnvoyFacts) -> Finding:
    check = "extproc health"
    for status in envoy.clusters.get("cluster_statuses", []):
        if status.get("name") != envoy_names.EXTPROC_CLUSTER:
            continue
        hosts = status.get("host_statuses", [])
        failed = sum(_stat(host, "cx_connect_fail") > 0 and _stat(host, "cx_active") == 0 for host in hosts)
        connected = sum(_stat(host, "cx_active") > 0 for host in hosts)
        detail = f"{connected} of {len(hosts)} endpoints connected"
        if failed or not hosts:
            return fail(subject, check, detail, "start `glidepath extproc` beside this Envoy")
        if connected:
            return ok(subject, check, detail)
        return warn(subject, check, f"{detail}: no traffic yet", "send a request and run doctor again")
    return fail(subject, check, "the cluster has no endpoints", RENDER)


def _stat(host: Mapping[str, Any], name: str) -> int:
    for stat in host.get("stats", []):
        if stat.get("name") == name:
            return int(stat.get("value", 0))
    return 0


def _access_log(subject: str, envoy: EnvoyFacts) -> Finding:
    check = "access log"
    configured = any(
        log.get("typed_config", {}).get("common_config", {}).get("log_name") == envoy_names.LIVE_LOG
        for manager in envoy.connection_managers()
        for log in manager.get("access_log", [])
    )
    if not configured:
        return fail(subject, check, f"no access log named {envoy_names.LIVE_LOG}, so the gates get no outcomes", RENDER)
    written = sum(v for k, v in envoy.stats.items() if k.endswith("grpc_access_log.logs_written"))
    dropped = sum(v for k, v in envoy.stats.items() if k.endswith("grpc_access_log.logs_dropped"))
    if dropped:
        remedy = "check extproc, which is down or too slow: the gates miss these outcomes"
        return warn(subject, check, f"{written} written, {dropped} dropped", remedy)
    if not written:
        return warn(subject, check, "configured, but nothing written yet", "send a request and run doctor again")
    return ok(subject, check, f"{written} entries written, none dropped")


def _workload(subject: str, config: Config, name: str, envoy: EnvoyFacts) -> Iterator[Finding]:
    wanted = {envoy_names.route_name(name)}
    routes = [route for route in envoy.routes() if route.get("name") in wanted]
    if len({route["name"] for route in routes}) < len(wanted):
        yield fail(subject, f"{name}: routes", f"{len(routes)} of 2 routes exist", RENDER)
        return
    yield _order(subject, config, name, routes)
    yield _sum(subject, name, routes[0], envoy)
    yield _sticky(subject, config, name, routes)


def _weighted(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(route.get("route", {}).get("weighted_clusters", {}).get("clusters", []))


def _order(subject: str, config: Config, name: str, routes: list[Mapping[str, Any]]) -> Finding:
    check, baseline = f"{name}: split", config.workloads[name].baseline
    for route in routes:
        clusters = [str(c.get("name")) for c in _weighted(route)]
        prefix = route.get("route", {}).get("weighted_clusters", {}).get("runtime_key_prefix")
        if len(clusters) != 2 or clusters[1] != baseline:
            detail = f"{route['name']} splits over {clusters}"
            return fail(subject, check, detail, f"list the candidate first, then {baseline}; {RENDER}")
        if prefix != runtime_keys.weight_prefix(name):
            detail = f"{route['name']} reads its weights from {prefix!r}"
            return fail(subject, check, detail, RENDER)
    return ok(subject, check, "candidate first, weights from runtime")


def _sum(subject: str, name: str, route: Mapping[str, Any], envoy: EnvoyFacts) -> Finding:
    check, total, shown = f"{name}: weights", 0, []
    for cluster in _weighted(route):
        runtime = envoy.runtime_value(runtime_keys.weight_key(name, str(cluster.get("name"))))
        weight = int(float(runtime)) if runtime else int(cluster.get("weight", 0))
        total += weight
        shown.append(f"{cluster.get('name')} {weight}")
    detail = f"{', '.join(shown)} (sum {total})"
    if total == runtime_keys.FULL_WEIGHT:
        return ok(subject, check, detail)
    remedy = f"set both keys in one POST with the sum {runtime_keys.FULL_WEIGHT}: any other sum moves sticky users"
    return fail(subject, check, detail, remedy)


def _sticky(subject: str, config: Config, name: str, routes: list[Mapping[str, Any]]) -> Finding:
    check = f"{name}: stickiness"
    if config.workloads[name].sticky is None:
        remedy = f"set workloads.{name}.sticky, or accept that a user is sent to both sides"
        return warn(subject, check, "not configured", remedy)
    hashed = all(
        route.get("route", {}).get("hash_policy")
        and route.get("route", {}).get("weighted_clusters", {}).get("use_hash_policy")
        for route in routes
    )
    if hashed:
        return ok(subject, check, "by hash")
    return fail(subject, check, "configured, but the routes have no hash policy", RENDER)


def examine_redis(redis: RedisFacts) -> Iterator[Finding]:
    subject = f"redis {redis.url}"
    if redis.error:
        yield fail(subject, "reachable", redis.error, "start it, or correct redis.url")
        return
    yield (
        ok(subject, "version", redis.version)
        if _at_least(redis.version, (6, 2))
        else fail(subject, "version", redis.version, "use Redis 6.2 or newer, or Valkey (XAUTOCLAIM)")
    )
    yield _eviction(subject, redis)
    yield _persistence(subject, redis)
    yield _clock(subject, "clock", redis.clock_skew_s)
    if redis.leader:
        yield ok(subject, "leader", redis.leader)
    else:
        detail = f"no scorer holds the lease of {group_label(redis.group)}"
        yield fail(subject, "leader", detail, "start `glidepath scorer`")
    for workload, age in redis.status_age_s.items():
        yield _freshness(subject, workload, age)
        yield from _group(subject, workload, redis)


def _at_least(version: str, wanted: tuple[int, int]) -> bool:
    numbers = [int(n) for n in re.findall(r"\d+", version)[:2]]
    return tuple(numbers) >= wanted


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
    used = f", {redis.used_memory / 2**20:.0f} MiB used" if redis.used_memory is not None else ""
    return ok(subject, check, f"{policy}{used}")


def _persistence(subject: str, redis: RedisFacts) -> Finding:
    check = "persistence"
    if redis.append_only is None:
        return warn(subject, check, "CONFIG is not allowed on this server", "make sure that appendonly is yes")
    if redis.append_only:
        return ok(subject, check, "append-only file")
    if redis.snapshots:
        remedy = "set appendonly yes: a restart loses the data since the last snapshot"
        return warn(subject, check, "snapshots only", remedy)
    remedy = "set appendonly yes: a restart loses the ramp, the evidence and the decision log"
    return fail(subject, check, "none", remedy)


def _group(subject: str, workload: str, redis: RedisFacts) -> Iterator[Finding]:
    """Yield a finding if the scorers of this configuration's group do not steer the workload."""
    holder = redis.last_steering.get(workload)
    found = group_problem(workload, redis.group, redis.leader, holder) if holder is not None else None
    if found is not None:
        yield fail(subject, f"{workload}: group", found.detail, found.remedy)


def _freshness(subject: str, workload: str, age: float | None) -> Finding:
    check = f"{workload}: status"
    if age is None:
        return warn(subject, check, "no status yet", "check that a scorer runs with this configuration")
    if age > STALE_STATUS_S:
        return fail(subject, check, f"{age:.0f} s old", "check the scorer's log: it does not steer")
    return ok(subject, check, f"{age:.1f} s old")

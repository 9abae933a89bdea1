"""The checks of ``glidepath doctor``. They do no I/O: they turn facts about Envoys and Redis into findings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from glidepath import envoy_names
from glidepath.config import Config
from glidepath.embedding_models import INSTALL_MULTILINGUAL, MULTILINGUAL, unread_languages_text
from glidepath.scorer_groups import group_label, group_problem
from glidepath_ops.doctor.capture_checks import examine_capture
from glidepath_ops.doctor.copied_route_checks import examine_copied_routes
from glidepath_ops.doctor.evaluator_and_verifier_checks import examine_instruments
from glidepath_ops.doctor.facts import RENDER, RUNTIME_LAYER, EnvoyFacts, Finding, RedisFacts, fail, ok, warn
from glidepath_ops.doctor.mesh_remedies import with_control_plane
from glidepath_ops.doctor.missing_envoy_parts import missing_parts
from glidepath_ops.doctor.redis_storage_checks import examine_storage
from glidepath_ops.doctor.settings_check import examine_settings
from glidepath_ops.doctor.split_checks import examine_split
from glidepath_ops.envoyconfig.access_log_tags import record_filters
from glidepath_ops.envoyconfig.envoy_versions import (
    NEWEST,
    OLDEST,
    OLDEST_BY_SETTING,
    TAG_VALUE,
    lacks,
    minor_version,
    missing_features,
)
from glidepath_ops.envoyconfig.filters import CANDIDATE_HEADERS, CAPTURE, REMEMBER
from glidepath_ops.envoyconfig.request_reading import READ_REQUEST, reads_any

MAX_SKEW_S = 2.0
STALE_STATUS_S = 15.0


def examine(config: Config, envoys: Iterable[EnvoyFacts], redis: RedisFacts) -> list[Finding]:
    """Return the findings on each Envoy, then the findings on Redis.

    The findings on an Envoy are in the order in which a request passes through the parts of Envoy.
    """
    findings: list[Finding] = []
    for envoy in envoys:
        findings += examine_envoy(config, envoy)
    return [*findings, *examine_redis(redis), *examine_settings(config, redis), *examine_languages(config, redis)]


def examine_envoy(config: Config, envoy: EnvoyFacts) -> list[Finding]:
    subject = f"envoy {envoy.url}"
    if envoy.error:
        remedy = "start it, or correct envoy.admin in the configuration"
        return [fail(subject, "reachable", envoy.error, remedy)]
    findings = [
        _version(subject, config, envoy),
        _steerable(subject, config, envoy),
        _admin_exposed(subject, envoy),
        _clock(subject, "clock", envoy.clock_skew_s),
        *missing_parts(subject, config, envoy),
        _filters(subject, config, envoy),
        *_extproc_cluster(subject, envoy),
        *examine_capture(subject, config, envoy),
        _access_log(subject, envoy),
    ]
    for name, workload in config.workloads.items():
        if workload.actuator is not None:
            continue  # http_route_checks.py: its split is in no Envoy
        findings += examine_split(subject, config, name, envoy)
        findings += examine_copied_routes(subject, name, envoy)
    return list(with_control_plane(findings, envoy))


def _version(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    text = str(envoy.server_info.get("version", ""))
    match = re.search(r"/(\d+)\.(\d+)\.", text)
    if match is None:
        return warn(subject, "version", f"unknown format: {text!r}", "check that this is an Envoy")
    shown = f"{match[1]}.{match[2]}"
    by_setting = minor_version(shown) >= minor_version(OLDEST_BY_SETTING)
    if minor_version(shown) < minor_version(OLDEST) and not (by_setting and lacks(config.envoy.version, TAG_VALUE)):
        missing = ", ".join(feature.name for feature in missing_features(shown) if not feature.used_by)
        other = f', or set envoy.version: "{shown}" and render again' if by_setting else ""
        return fail(subject, "version", f"{shown} lacks {missing}", f"use Envoy {OLDEST} or newer{other}")
    if minor_version(shown) < minor_version(NEWEST):
        return warn(subject, "version", f"{shown}; tested most with {NEWEST}", "upgrade when possible")
    return ok(subject, "version", shown)


def _steerable(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    layers = envoy.bootstrap.get("layered_runtime", {}).get("layers", [])
    kinds = {kind for layer in layers for kind in ("admin_layer", "rtds_layer") if kind in layer}
    wanted = "rtds_layer" if config.envoy.actuator == "rtds" else "admin_layer"
    if wanted in kinds:
        return ok(subject, RUNTIME_LAYER, f"has an {wanted}")
    remedy = f"add an {wanted} to the bootstrap's layered_runtime, or set envoy.actuator to match an existing layer"
    found = ", ".join(sorted(kinds)) or "no changeable layer"
    return fail(subject, RUNTIME_LAYER, f"no {wanted} (found: {found})", remedy)


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


def _filters(subject: str, config: Config, envoy: EnvoyFacts) -> Finding:
    """Report whether each listener for clients has the filters that the routes of workloads need."""
    check, found = "filters", False
    for manager in envoy.connection_managers():
        chain = list(manager.get("http_filters", []))
        names = [str(one.get("name")) for one in chain]
        if CAPTURE not in names or _logs_to(manager, envoy_names.SHADOW_LOG):
            continue
        found = True
        read = (READ_REQUEST,) if reads_any(config) else ()
        needed = (*read, REMEMBER, *(one["name"] for one in record_filters(config)), CANDIDATE_HEADERS)
        missing = [name for name in needed if name not in names]
        if missing:
            return fail(subject, check, f"{CAPTURE} is there, but not {', '.join(missing)}", RENDER)
        behind = [one for one in chain[names.index(CAPTURE) + 1 :] if not _changes_no_body(one.get("typed_config", {}))]
        if behind:
            listed = ", ".join(str(one.get("name")) for one in behind)
            remedy = f"move {CAPTURE} directly before the router, so that it captures what the backend gets"
            return warn(subject, check, f"these filters come after {CAPTURE}: {listed}", remedy)
    if not found:
        return fail(subject, check, f"no listener for clients has the filter {CAPTURE}", RENDER)
    return ok(subject, check, "all are there, and no later filter changes a body")


def _changes_no_body(config: Mapping[str, Any]) -> bool:
    """Return whether the HTTP filter with this configuration never changes a body: the router, or a header mutation."""
    return str(config.get("@type", "")).endswith((".Router", ".HeaderMutation"))


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
    check, hosts = "extproc health", envoy.hosts(envoy_names.EXTPROC_CLUSTER)
    if hosts is None:
        return fail(subject, check, "the cluster has no endpoints", RENDER)
    connected = sum(_stat(host, "cx_active") > 0 for host in hosts)
    detail = f"{connected} of {len(hosts)} endpoints connected"
    if not hosts or _failing_now(hosts, envoy.hosts(envoy_names.EXTPROC_CLUSTER, earlier=True) or []):
        return fail(subject, check, detail, "start `glidepath extproc` for this Envoy")
    if connected:
        return ok(subject, check, detail)
    # Envoy connects when it has something to send, so after a restart of extproc it stays unconnected until a request.
    failed = sum(_stat(host, "cx_connect_fail") for host in hosts)
    before = f", and {failed} attempts have failed since Envoy's start" if failed else ""
    return warn(subject, check, f"{detail}: no traffic now{before}", "send a request and run doctor again")


def _failing_now(hosts: Sequence[Mapping[str, Any]], earlier: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether an endpoint has no connection, and attempts to connect failed after the ``earlier`` reading."""
    before = {str(host.get("address")): _stat(host, "cx_connect_fail") for host in earlier}
    return any(
        _stat(host, "cx_active") == 0 and _stat(host, "cx_connect_fail") > before.get(str(host.get("address")), 0)
        for host in hosts
    )


def _stat(host: Mapping[str, Any], name: str) -> int:
    for stat in host.get("stats", []):
        if stat.get("name") == name:
            return int(stat.get("value", 0))
    return 0


def _access_log(subject: str, envoy: EnvoyFacts) -> Finding:
    check = "access log"
    if not any(_logs_to(manager, envoy_names.LIVE_LOG) for manager in envoy.connection_managers()):
        return fail(subject, check, f"no access log named {envoy_names.LIVE_LOG}, so the gates get no outcomes", RENDER)
    written = sum(v for k, v in envoy.stats.items() if k.endswith("grpc_access_log.logs_written"))
    dropped = sum(v for k, v in envoy.stats.items() if k.endswith("grpc_access_log.logs_dropped"))
    if dropped:
        remedy = "check extproc, which is down or too slow: the gates miss these outcomes"
        return warn(subject, check, f"{written} written, {dropped} dropped", remedy)
    if not written:
        return warn(subject, check, "configured, but nothing written yet", "send a request and run doctor again")
    return ok(subject, check, f"{written} entries written, none dropped")


def _logs_to(manager: Mapping[str, Any], name: str) -> bool:
    """Return whether an HTTP connection manager has the access log ``name``."""
    logs = (log.get("typed_config", {}).get("common_config", {}) for log in manager.get("access_log", []))
    return any(log.get("log_name") == name for log in logs)


def examine_redis(redis: RedisFacts) -> Iterator[Finding]:
    subject = f"redis {redis.url}"
    if redis.error:
        yield fail(subject, "reachable", redis.error, "start it, or correct redis.url")
        return
    yield (
        ok(subject, "version", redis.version)
        if _at_least(redis.version, (6, 2))
        else fail(subject, "version", redis.version, "use Redis 6.2 or newer, or Valkey (XTRIM MINID)")
    )
    yield from examine_storage(subject, redis)
    yield _clock(subject, "clock", redis.clock_skew_s)
    if redis.leader:
        yield ok(subject, "leader", redis.leader)
    else:
        detail = f"no scorer holds the lease of {group_label(redis.group)}"
        yield fail(subject, "leader", detail, "start `glidepath scorer`")
    yield _unseen(subject, redis)
    for workload, age in redis.status_age_s.items():
        yield _freshness(subject, workload, age)
        yield from _group(subject, workload, redis)
        yield from examine_instruments(subject, workload, redis.instruments.get(workload, {}))
    for workload, reason in redis.blind.items():
        yield _arriving_outcomes(f"workload {workload}", reason, redis.no_counters.get(workload, ""))
    for workload, refusals in redis.refusals.items():
        yield from (fail(f"workload {workload}", one.side, one.detail, one.remedy) for one in refusals)


def examine_languages(config: Config, redis: RedisFacts) -> Iterator[Finding]:
    """Report for each workload whether the embedding model reads the languages of its answers."""
    model = config.scorer.embedder.model
    for workload, texts in redis.languages.items():
        subject, check = f"workload {workload}", "languages"
        if unread := unread_languages_text(model, texts):
            remedy = (
                f"set scorer.embedder.model: {MULTILINGUAL} ({INSTALL_MULTILINGUAL}): the similarity of such answers "
                "says little about their meaning"
            )
            yield warn(subject, check, unread, remedy)
        elif texts:
            yield ok(subject, check, ", ".join(sorted(texts, key=lambda language: -texts[language])[:5]))


def _arriving_outcomes(subject: str, blind: str, no_counters: str) -> Finding:
    """Report whether outcomes arrive, and whether the counter guard could replace them for a while."""
    check = "outcomes arrive"
    if blind:
        remedy = (
            "check extproc and Redis: until outcomes arrive, no step is taken, and only Envoy's own counters can "
            "cause a rollback"
        )
        return fail(subject, check, blind, remedy)
    if no_counters:
        remedy = (
            "give the addresses in envoy.admin; without them, only a lease of the split in Envoy (if_lost: baseline) "
            "can return the traffic while outcomes do not arrive"
        )
        return warn(subject, check, f"no counter guard: {no_counters}", remedy)
    return ok(subject, check, "yes, and Envoy's own counters are read")


def _unseen(subject: str, redis: RedisFacts) -> Finding:
    """Report whether every access log entry that the Envoys produced reached an extproc."""
    check, record = "unseen log entries", redis.unseen
    if record is None or record.silent == "all":
        detail = "not counted: the leading scorer needs Envoy's own counters, and can reach no Envoy in envoy.admin"
        return warn(subject, check, detail, "give the addresses in envoy.admin, or watch extproc by its metrics")
    if record.unseen and record.is_recent():
        detail = f"{record.text}, so no gate knows these outcomes"
        return warn(subject, check, detail, "check whether extproc was down, frozen or too slow")
    silent = f"; {record.silent} not read" if record.silent else ""
    count = record.text if record.unseen else f"none of {record.produced}"
    return ok(subject, check, f"{count}{silent}")


def _at_least(version: str, wanted: tuple[int, int]) -> bool:
    numbers = [int(n) for n in re.findall(r"\d+", version)[:2]]
    return tuple(numbers) >= wanted


def _group(subject: str, workload: str, redis: RedisFacts) -> Iterator[Finding]:
    """Report a workload that the scorers of this configuration's group do not steer."""
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

"""Short texts on who can access which part, and whether the connection is encrypted, from the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from glidepath.config import Config
from glidepath.config.backends import Credential
from glidepath.config.console import is_loopback
from glidepath.config.listen_addresses import listen_addresses
from glidepath_ops.report.report_facts import ReportFacts


def redis_host_text(config: Config) -> str:
    return urlsplit(config.redis.url or "").hostname or "the address of `glidepath up`"


def redis_text(config: Config) -> str:
    tls = "with TLS" if (config.redis.url or "").startswith("rediss:") else "without TLS"
    password = "a password" if config.redis.password is not None else "no password in the configuration"
    return f"Redis: {tls}, {password}"


def console_access_text(config: Config) -> str:
    console = config.console
    if not console.authenticates:
        return f"the console listens on {console.listen} only, is read-only, and asks for no login"
    ways = [way for way, given in (("a token", console.token), ("a trusted proxy", console.trusted_proxy)) if given]
    reading = "anybody may read" if console.open_reading else "reading needs it too"
    return f"the console asks for {' or '.join(ways)}; {reading}"


def samples_text(facts: ReportFacts) -> str:
    return ", ".join(f"{one.name} {one.workload.shadow.sample:g} %" for one in facts.workloads)


def tls_text(facts: ReportFacts) -> str:
    used = {name for one in facts.workloads for name in (one.workload.baseline, one.workload.candidate)}
    plain = sorted(name for name in used if (facts.config.backends[name].url or "").startswith("http:"))
    return f"backends without TLS: {', '.join(plain)}" if plain else "TLS to all backends that have a URL"


def credentials_text(facts: ReportFacts) -> str:
    """Return the source of each backend's credential, never the credential itself."""
    return "; ".join(f"{name}: {_credential_text(b.credential)}" for name, b in sorted(facts.config.backends.items()))


def _credential_text(credential: Credential | None) -> str:
    if credential is None:
        return "none"
    if credential.passthrough:
        return "the client's own"
    return f"from the environment ({credential.env})" if credential.env is not None else "from a file"


# The addresses that no login protects, by their settings: who must not reach them, or what they show.
_WITHOUT_LOGIN = {
    ("envoy", "shadow_listen"): "Envoy's listener for copies, which adds the credentials of the backends",
    ("extproc", "metrics"): "metrics of extproc: numbers and names, no texts",
    ("scorer", "metrics"): "metrics and status of the scorer: numbers and names, no texts",
    ("envoy", "rtds_listen"): "the scorer's weights for Envoys (RTDS), without TLS",
}


def rows_without_login(config: Config) -> Iterator[list[str]]:
    """Yield a row for each address without a login: what it serves, the address, and the machines that reach it."""
    for one in listen_addresses(config):
        if (what := _WITHOUT_LOGIN.get(one.key)) is not None:
            reach = "this machine only" if is_loopback(one.address) else "other machines too, if the network lets them"
            yield [what, f"{one.address}; no login; reached by {reach}"]

"""Translates the effect of a user's mesh route on requests into the form of an Envoy route.

Copies of requests to the baseline get the same rewrites and header rules on the shadow listener. The results have the
keys of ``part_for_copies``: ``match`` (the path condition), ``route`` (rewrites), and the rules for request headers.
See Istio's ``TranslateRoute``, and the translation of HTTPRoute filters in Envoy Gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.mesh.http_route_matches import path_of

_HOST_HEADERS = ("host", ":authority")


def of_virtual_service(entry: Json, header_rules: Json) -> list[Json]:
    """Return the effect of a VirtualService's HTTP route with one destination, as one part for each of its matches.

    ``header_rules``: the rules of the route in Envoy's form. Istio translates a rule that sets the host into a rewrite.
    """
    rewrite = entry.get("rewrite") or {}
    action: Json = {}
    if "uri" in rewrite:
        action["prefix_rewrite"] = str(rewrite["uri"])
    if "uriRegexRewrite" in rewrite:
        regex = rewrite["uriRegexRewrite"]
        action["regex_rewrite"] = _regex(str(regex.get("match", "")), str(regex.get("rewrite", "")))
    (destination,) = entry["route"]
    hosts = [_host_set(destination), rewrite.get("authority"), _host_set(entry)]
    if host := next((str(one) for one in hosts if one), None):
        action["host_rewrite_literal"] = host
    matches = entry.get("match") or [{}]
    return [_part(_of_uri(one.get("uri") or {}), action, header_rules) for one in matches]


def _host_set(section: Json) -> str | None:
    changes = ((section.get("headers") or {}).get("request") or {}).get("set") or {}
    return next((value for name, value in changes.items() if name.lower() in _HOST_HEADERS), None)


def _of_uri(uri: Json) -> Json:
    if "exact" in uri:
        return {"path": str(uri["exact"])}
    return {"prefix": str(uri.get("prefix", "/"))}


def of_http_route(rule: Json, header_rules: Json) -> list[Json]:
    """Return one part for each match of an HTTPRoute's rule. ``header_rules``: its header rules in Envoy's form.

    Filters of the kind ExtensionRef are not translated, because their effect is defined in another resource.
    """
    rewrites = [one.get("urlRewrite") or {} for one in rule.get("filters") or []]
    parts = []
    for match in rule.get("matches") or [{}]:
        kind, value = path_of(match)
        action: Json = {}
        for rewrite in rewrites:
            if rewrite.get("hostname"):
                action["host_rewrite_literal"] = str(rewrite["hostname"])
            action |= _path_rewrite(rewrite.get("path") or {}, value)
        parts.append(_part(_of_path(kind, value), action, header_rules))
    return parts


def _of_path(kind: str, value: str) -> Json:
    if kind == "Exact":
        return {"path": value}
    if kind == "RegularExpression":
        return {"safe_regex": {"regex": value}}
    prefix = value.rstrip("/")
    return {"path_separated_prefix": prefix} if prefix else {"prefix": "/"}


def _path_rewrite(path: Json, matched: str) -> Json:
    """Return the path fields of an Envoy route's action for a URLRewrite. ``matched``: the path in the match."""
    if str(path.get("type")) == "ReplaceFullPath":
        return {"regex_rewrite": _regex("^/.*$", _literal(str(path.get("replaceFullPath") or "/")))}
    if str(path.get("type")) != "ReplacePrefixMatch":
        return {}
    prefix, target = matched.rstrip("/"), str(path.get("replacePrefixMatch") or "").rstrip("/")
    if target and prefix:
        return {"prefix_rewrite": target}
    # The slash after the prefix is replaced too: /v1/chat and /v1 become /chat and /.
    return {"regex_rewrite": _regex(f"^{_escaped(prefix)}/*", _literal(f"{target}/"))}


def _escaped(text: str) -> str:
    return re.sub(r"[.+*?()|\[\]{}^$\\]", r"\\\g<0>", text)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")


def _regex(pattern: str, substitution: str) -> Json:
    return {"pattern": {"regex": pattern}, "substitution": substitution}


def _part(match: Json, action: Json, header_rules: Json) -> Json:
    return {
        "match": match,
        "route": action,
        "request_headers_to_remove": _without_hosts(header_rules["request_headers_to_remove"]),
        "request_headers_to_add": [
            one for one in header_rules["request_headers_to_add"] if one["header"]["key"].lower() not in _HOST_HEADERS
        ],
    }


def _without_hosts(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.lower() not in _HOST_HEADERS]

"""One small Envoy bootstrap in many layouts of YAML, and bootstraps into which Glidepath cannot be inserted."""

from __future__ import annotations

from textwrap import indent

from tests.support.user_bootstraps import HCM, ROUTER

_ROUTE = "{match: {prefix: /v1}, route: {cluster: gpt}}"
_OF_LISTENER = f"""\
    address: {{socket_address: {{address: 127.0.0.1, port_value: 8001}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          stat_prefix: shop
          route_config:
            virtual_hosts:
            - name: shop
              domains: ["*"]
              routes:
              - {_ROUTE}
          http_filters:
          - {ROUTER}
"""
_LISTENERS = f"""\
  listeners:
  - name: shop
{_OF_LISTENER}"""
_ENDPOINT = "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8002}}}}"
_CLUSTERS = f"""\
  clusters:
  - name: gpt
    type: STATIC
    load_assignment: {{cluster_name: gpt, endpoints: [{{lb_endpoints: [{_ENDPOINT}]}}]}}
"""
_ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 8003}}}\n"
USUAL = _ADMIN + "static_resources:\n" + _LISTENERS + _CLUSTERS
HEALTH_ONLY = USUAL.replace(_CLUSTERS, "").replace(_ROUTE, "{match: {path: /up}, direct_response: {status: 200}}")
_SECRETS = "  secrets:\n  - {name: s, generic_secret: {secret: {inline_string: x}}}\n"
_INPUT = '{"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-team}'
_ACTION = f'{{"@type": type.googleapis.com/envoy.config.route.v3.Route, {_ROUTE[1:]}'
_TREE = (
    f"matcher_tree: {{input: {{name: team, typed_config: {_INPUT}}}, exact_match_map: {{map: "
    f"{{a: {{action: {{name: r, typed_config: {_ACTION}}}}}}}}}}}"
)
_ROUTES = f"routes:\n              - {_ROUTE}\n"

# The route for the workload's requests goes to a cluster of the file.
CONTINUED: dict[str, str] = {
    "usual": USUAL,
    "clusters-before-listeners": _ADMIN + "static_resources:\n" + _CLUSTERS + _LISTENERS,
    "secrets-between": USUAL.replace(_CLUSTERS, _SECRETS + _CLUSTERS),
    "dashes-below-their-key": USUAL.replace(
        _LISTENERS, "  listeners:\n    - name: shop\n" + indent(_OF_LISTENER, "  ")
    ),
    "last-filter-is-an-alias": f"node: {{id: a, metadata: {{x: &router {ROUTER}}}}}\n"
    + USUAL.replace(f"- {ROUTER}", "- *router"),
    "windows-line-ends": USUAL.replace("\n", "\r\n"),
    "byte-order-mark": "\ufeff" + USUAL,
    "no-newline-at-the-end": USUAL.rstrip("\n"),
    "comments-at-the-end": USUAL + "\n# Ask the shop's team.\n\n",
    "document-marks": "---\n" + USUAL + "...\n",
    "words-of-booleans": USUAL.replace("stat_prefix: shop", "stat_prefix: 'y'").replace(
        "{prefix: /v1}", "{prefix: /v1, case_sensitive: n, headers: [{name: x-on, string_match: {exact: 'no'}}]}"
    ),
    "own-runtime-layer": USUAL
    + "layered_runtime: {layers: [{name: mine, static_layer: {a: 'on'}}, {name: me, admin_layer: {}}]}\n",
    "runtime-without-layers": USUAL + "layered_runtime: {}\n",
    "no-admin": USUAL.replace(_ADMIN, ""),
}
# No route of the file matches the workload's requests.
OWN_ROUTE: dict[str, str] = {
    "no-clusters": HEALTH_ONLY,
    "no-clusters-and-secrets-before": HEALTH_ONLY.replace("  listeners:\n", _SECRETS + "  listeners:\n", 1),
    "no-clusters-and-secrets-after": HEALTH_ONLY + _SECRETS,
    "empty-clusters": HEALTH_ONLY + "  clusters: []\n",
    "clusters-by-cds": HEALTH_ONLY
    + "node: {id: a, cluster: b}\ndynamic_resources: {cds_config: {path_config_source: {path: cds/clusters.yaml}}}\n",
}
# A layout or a content that cannot be continued, with the beginning of the reason.
REFUSED: dict[str, tuple[str, str]] = {
    "matcher": (USUAL.replace(_ROUTES, f"matcher: {{{_TREE}}}\n"), "finds its routes by a matcher"),
    "matcher-and-nothing-else": (
        USUAL.replace(_ROUTES, f"matcher: {{on_no_match: {{action: {{name: r, typed_config: {_ACTION}}}}}}}\n"),
        "finds its routes by a matcher",
    ),
    "address-for-copies-taken": (USUAL.replace("port_value: 8001", "port_value: 8009"), "the listener shop has the"),
    "address-for-copies-taken-by-all": (
        USUAL.replace("address: 127.0.0.1, port_value: 8001", "address: 0.0.0.0, port_value: 8009"),
        "the listener shop has the",
    ),
    "cluster-by-cds": (USUAL.replace(_CLUSTERS, ""), "has no cluster gpt in static_resources"),
    "runtime-without-value": (
        USUAL + "layered_runtime:\n",
        "must be a list or a mapping, or be left out: layered_runtime:",
    ),
    "two-documents": (USUAL + "---\n" + USUAL, "must be one YAML document"),
    "tabs": (USUAL.replace("    type: STATIC", "\ttype: STATIC"), "is not YAML"),
}
# Both sides are clusters of the file.
_SECOND = _CLUSTERS.replace("  clusters:\n", "").replace("gpt", "vllm")
_EXTENSION = (
    "{name: envoy.bootstrap.internal_listener, typed_config: "
    '{"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}}'
)
TWO_CLUSTERS: dict[str, str] = {
    "no-extensions": USUAL + _SECOND,
    "no-extensions-yet": USUAL + _SECOND + "bootstrap_extensions: []\n",
    "internal-listeners-already": USUAL + _SECOND + f"bootstrap_extensions: [{_EXTENSION}]\n",
}

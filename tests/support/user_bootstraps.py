"""Envoy bootstraps of different users, into which Glidepath is inserted without changing anything else."""

from __future__ import annotations

from pathlib import Path

HTTP = "type.googleapis.com/envoy.extensions.filters.http"
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
MUTATION = "{request_mutations: [{append: {header: {key: x-team, value: a}}}]}"
UNUSED_ENDPOINT = "{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}"
ROUTER = '{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}'
CLUSTER = """\
  - name: theirs
    type: STATIC
    load_assignment:
      cluster_name: theirs
      endpoints:
      - lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %BACKEND%}}}}]
"""
ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: %ADMIN%}}}\n"

HTTP1 = f"""\
# Our gateway. Talk to #platform before you change it.
{ADMIN}
static_resources:
  listeners:
  - name: main   # clients come here
    address: {{socket_address: {{address: 127.0.0.1, port_value: %LISTEN%}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {HCM}
          stat_prefix: theirs
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              # the catch-all stays last
              - match: {{prefix: /}}
                route: {{cluster: theirs}}

          http_filters:
          - {ROUTER}
  clusters:
{CLUSTER}"""

HTTP2_FLOW = f"""\
{ADMIN}static_resources: {{
  listeners: [{{
    name: main, address: {{socket_address: {{address: 127.0.0.1, port_value: %LISTEN%}}}},
    filter_chains: [{{filters: [{{name: hcm, typed_config: {{
      "@type": {HCM}, stat_prefix: theirs, codec_type: AUTO, http2_protocol_options: {{max_concurrent_streams: 100}},
      access_log: [{{name: out, typed_config: {{"@type":
        type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}}}}],
      route_config: {{virtual_hosts: [{{name: all, domains: ['*'], routes: [
        {{match: {{prefix: /}}, route: {{cluster: theirs}}}}]}}]}},
      http_filters: [{ROUTER}]}}}}]}}]}}],
  clusters: [{{name: theirs, type: STATIC, load_assignment: {{cluster_name: theirs, endpoints: [{{lb_endpoints: [
    {{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: %BACKEND%}}}}}}}}]}}]}}}}]}}
"""

TLS_AND_MORE_LISTENERS = f"""\
{ADMIN}static_resources:
  listeners:
  - name: health
    address: {{socket_address: {{address: 127.0.0.1, port_value: %OTHER%}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          stat_prefix: health
          route_config:
            virtual_hosts:
            - {{name: health, domains: ["*"], routes: [{{match: {{prefix: /}}, direct_response: {{status: 204}}}}]}}
          http_filters:
          - {ROUTER}
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: %LISTEN%}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          stat_prefix: theirs
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: theirs}}
          http_filters:
          - {ROUTER}
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - {{certificate_chain: {{filename: %CERT%}}, private_key: {{filename: %KEY%}}}}
  clusters:
{CLUSTER}"""

OWN_RUNTIME = (
    HTTP1
    + """\
layered_runtime:
  layers:
  - name: base
    static_layer: {theirs.knob: 7}
  - name: person
    admin_layer: {}"""  # and no newline at the end
)

OWN_FILTERS = f"""\
{ADMIN}static_resources:
    listeners:
        -   name: main
            address:
                socket_address: {{address: 127.0.0.1, port_value: %LISTEN%}}
            filter_chains:
                -   filters:
                        -   name: hcm
                            typed_config:
                                "@type": {HCM}
                                stat_prefix: theirs
                                route_config:
                                    name: table
                                    virtual_hosts:
                                        -   name: api
                                            domains: ["api.test"]
                                            routes: [{{match: {{prefix: /}}, direct_response: {{status: 418}}}}]
                                        -   name: all
                                            domains: ["*"]
                                            routes:
                                                -   match: {{prefix: /}}
                                                    route: {{cluster: theirs}}
                                http_filters:
                                    -   name: envoy.filters.http.ext_proc
                                        typed_config:
                                            "@type": {HTTP}.ext_proc.v3.ExternalProcessor
                                            grpc_service: {{envoy_grpc: {{cluster_name: guard}}}}
                                            failure_mode_allow: true
                                            message_timeout: 0.05s
                                    -   name: envoy.filters.http.header_mutation
                                        typed_config:
                                            "@type": {HTTP}.header_mutation.v3.HeaderMutation
                                            mutations: {MUTATION}
                                    -   {ROUTER}
    clusters:
        -   name: guard
            type: STATIC
            typed_extension_protocol_options:
                envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                    explicit_http_config: {{http2_protocol_options: {{}}}}
            load_assignment:
                cluster_name: guard
                endpoints: [{UNUSED_ENDPOINT}]
        -   name: theirs
            type: STATIC
            load_assignment:
                cluster_name: theirs
                endpoints:
                    -   lb_endpoints:
                            -   endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: %BACKEND%}}}}}}
"""

BY_RDS = f"""\
static_resources:
  listeners:
  - name: main
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": {HCM}
          rds: {{route_config_name: table, config_source: {{ads: {{}}}}}}
"""

# name → (text, --listener, --virtual-host)
INSERTABLE: dict[str, tuple[str, str | None, str | None]] = {
    "http1": (HTTP1, None, None),
    "http2-flow": (HTTP2_FLOW, None, None),
    "tls-several-listeners": (TLS_AND_MORE_LISTENERS, "main", None),
    "own-runtime": (OWN_RUNTIME, None, None),
    "own-filters": (OWN_FILTERS, None, "all"),
}


def filled(
    text: str, *, listen: int, admin: int, backend: int, other: int = 9, tls: tuple[Path, Path] | None = None
) -> str:
    key, certificate = tls or (Path("/key"), Path("/cert"))
    values = {
        "LISTEN": listen,
        "ADMIN": admin,
        "BACKEND": backend,
        "OTHER": other,
        "KEY": key,
        "CERT": certificate,
    }
    for name, value in values.items():
        text = text.replace(f"%{name}%", str(value))
    return text

"""Renders the routes that Envoy answers itself, with an error and a JSON body (ADR 0012)."""

from __future__ import annotations

import json

from glidepath import envoy_names
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.path_conditions import REFUSED_METHODS, method_header
from glidepath_ops.envoyconfig.route_overlap import METHOD


def refused_methods() -> Json:
    text = "TRACE and CONNECT are not served, because a backend would return the credential that Envoy adds"
    route = _answer(envoy_names.REFUSED_METHOD_ROUTE, 405, "method_not_allowed", text)
    match = {"prefix": "/", "headers": [method_header(REFUSED_METHODS)]}
    return with_comment("TRACE reaches no backend, which would return its credential.", {**route, "match": match})


def only_posts() -> Json:
    text = f"serves only copies of requests, which have the method {METHOD}"
    route = _answer(envoy_names.REFUSED_METHOD_ROUTE, 405, "method_not_allowed", text)
    match = {"prefix": "/", "headers": [method_header(METHOD, inverted=True)]}
    return with_comment(f"Every copy has the method {METHOD}.", {**route, "match": match})


def not_found(name: str, message: str) -> Json:
    """Return a route that answers every request with a 404."""
    return _answer(name, 404, "no_route", message)


def _answer(name: str, status: int, code: str, message: str) -> Json:
    """Return a route that answers every request with an error and a JSON body (ADR 0012)."""
    body = {"error": {"message": f"glidepath: {message}", "type": "invalid_request_error", "code": code}}
    return {
        "name": name,
        "match": {"prefix": "/"},
        "direct_response": {"status": status, "body": {"inline_string": json.dumps(body)}},
        "response_headers_to_add": [instead_of_header("content-type", "application/json")],
    }


def instead_of_header(header: str, value: str) -> Json:
    """Return a HeaderValueOption that adds a header and replaces an existing one with the same name."""
    return {"header": {"key": header, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}

"""The description of the HTTP API (OpenAPI 3.1). The pages use the same endpoints."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glidepath.feedback import FeedbackMatch
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.api_models import CommandBody, FeedbackBody, LabelBody
from glidepath_ops.console.authorized_endpoints import reading
from glidepath_ops.console.history_series import RANGES
from glidepath_ops.console.pair_query import LABELS, SORTS
from glidepath_ops.console.running_console import Console

_WORKLOAD = {"name": "workload", "in": "path", "required": True, "schema": {"type": "string"}}
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}}
_SEARCH: dict[str, tuple[str, dict[str, Any]]] = {
    "sort": ("the order", {"enum": list(SORTS), "default": "worst"}),
    "flag": ("only pairs with this flag", {"type": "string"}),
    "fault": ("only pairs in which an answer has this fault", {"type": "string"}),
    "unscored": ("only pairs that could not be scored, for this reason", {"type": "string"}),
    "side": ("only pairs in which this side is at fault", {"enum": ["baseline", "candidate"]}),
    "status": ("only pairs in which an answer has this status, such as 503 or 5xx", {"type": "string"}),
    "since": ("only pairs since this time: an age such as 2h, or 2026-03-01T14:00", {"type": "string"}),
    "until": ("only pairs before this time", {"type": "string"}),
    "request": ("only the pairs of this request", {"type": "string"}),
    "sticky": ("only pairs with this sticky value, in plain text or as its digest", {"type": "string"}),
    "label": ("only pairs with this judgement", {"enum": list(LABELS)}),
    "kind": ("pairs of both sides, noise pairs, or all", {"enum": ["cross", "noise", "all"], "default": "cross"}),
    "count": ("how many", {"type": "integer", "minimum": 1}),
}


def routes(console: Console) -> list[Route]:
    document = description()

    async def openapi(_: Request, __: Visitor) -> Response:
        return JSONResponse(document)

    return [Route("/api/openapi.json", reading(console, openapi))]


def description() -> dict[str, Any]:
    """Return the OpenAPI document."""
    search = [_query(name, text, schema) for name, (text, schema) in _SEARCH.items()]
    spans = _query("range", "the span of time", {"enum": [span.name for span in RANGES], "default": RANGES[0].name})
    count = _query("count", "how many decisions", {"type": "integer", "minimum": 1})
    single = {**_query("id", "the id of the pair, or of its request", {"type": "string"}), "required": True}
    one = "/api/workloads/{workload}"
    lines = {"application/x-ndjson": {"schema": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Glidepath console",
            "version": version("glidepath"),
            "description": "Read with GET. Commands and labels need the bearer token, or the session of a person; "
            "feedback needs the same, or the token for feedback.",
        },
        "paths": {
            "/feedback": {"post": _feedback()},
            "/api/status": {"get": _get("The status of all workloads, as `glidepath status --json`", [])},
            f"{one}/log": {"get": _get("The newest decisions, the oldest first", [_WORKLOAD, count])},
            f"{one}/history": {"get": _get("Time series and decisions", [_WORKLOAD, spans])},
            f"{one}/pairs": {"get": _get("Search pairs", [_WORKLOAD, *search])},
            f"{one}/pairs.jsonl": {"get": _get("Pairs as a data set, one a line", [_WORKLOAD, *search], lines)},
            f"{one}/pair": {"get": _get("One pair with its texts", [_WORKLOAD, single])},
            f"{one}/label": {"put": _send("Judge a pair", LabelBody)},
            f"{one}/commands": {"post": _send("Steer the workload, and return the scorer's decision", CommandBody)},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {model.__name__: _schema(model) for model in (CommandBody, FeedbackBody, LabelBody)},
        },
        "security": [{"token": []}],
    }


def _schema(model: type[CommandBody] | type[FeedbackBody] | type[LabelBody]) -> dict[str, Any]:
    """Return the JSON schema of a body, with referenced schemas inserted in place."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            reference = str(value.get("$ref", "")).rpartition("/")[2]
            rest = {name: inline(one) for name, one in value.items() if name != "$ref"}
            return {**named.get(reference, {}), **rest}
        return [inline(one) for one in value] if isinstance(value, list) else value

    found: dict[str, Any] = inline(schema)
    return found


def _query(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _get(summary: str, parameters: list[dict[str, Any]], content: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = {"description": summary, "content": content or {"application/json": {"schema": {}}}}
    return {"summary": summary, "parameters": parameters, "responses": {"200": answer, **_errors("400", "401", "503")}}


def _send(summary: str, model: type[CommandBody] | type[FeedbackBody] | type[LabelBody]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    done = {"description": "done", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "summary": summary,
        "parameters": [_WORKLOAD],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": done, **_errors("400", "401", "403", "404", "409", "413", "503", "504")},
    }


def _feedback() -> dict[str, Any]:
    result = {"type": "object", "properties": {"result": {"enum": [match.value for match in FeedbackMatch]}}}
    described = _send("Give feedback on one answer", FeedbackBody)
    done = {"description": "counted, or given before", "content": {"application/json": {"schema": result}}}
    errors = _errors("400", "401", "403", "413", "429", "503")
    unknown = {"404": {**_errors("404")["404"], "description": "unknown workload, or unknown request id"}}
    return {**described, "parameters": [], "responses": {"200": done, **errors, **unknown}}


def _errors(*codes: str) -> dict[str, Any]:
    meanings = {
        "400": "the request is invalid",
        "401": "no token",
        "403": "not allowed",
        "404": "unknown workload",
        "413": "the body is too long",
        "429": "too much feedback at once; try again after retry-after",
        "409": "the scorer refused the command; the error says why",
        "503": "Redis does not answer",
        "504": "no scorer answered in time; it will act on the command later",
    }
    return {
        code: {"description": meanings[code], "content": {"application/json": {"schema": _ERROR}}} for code in codes
    }

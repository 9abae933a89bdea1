"""Renders the reading of requests: a Lua filter that publishes facts about a body before Envoy chooses the route.

A route for reading takes the requests first. Its filter (``read_request.lua``) writes the facts into dynamic metadata
and the sticky values into headers, and lets Envoy choose the route again. This time, routes with conditions on the
facts match: the split of each workload, and the routes for requests that always go to the baseline. See ADR 0301.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from glidepath import envoy_names
from glidepath.call_classes import (
    CALLS_WITH_STATE,
    STORED_BY_DEFAULT,
    STREAMED_BY_DEFAULT,
    STREAMED_CALLS,
    form_of_path,
)
from glidepath.config.backends import Backend
from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.config.workload import Workload
from glidepath.eligibility import (
    BYTES_PER_TOKEN,
    FOREIGN_REASONING,
    GRPC_MODEL,
    OTHER_THAN_TEXT,
    Ineligible,
    declares,
)
from glidepath_ops.envoyconfig.backend_adaptation import quote
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, typed
from glidepath_ops.envoyconfig.sticky_hash_policy import headers_from_bodies

READ_REQUEST = "glidepath.read_request"  # the filter, and the namespace of its settings in a reading route's metadata
_LUA = "extensions.filters.http.lua.v3.Lua"
_PROGRAM = "read"
_PARTS = (
    *("json_tokens.lua", "server_state.lua", "sticky_digests.lua", "request_facts.lua", "body_kinds.lua"),
    "read_request.lua",
)
# The statuses with which backends refuse reasoning or ids that another server has made.
REFUSALS = (400, 404, 422)
_SPLIT_STATES = "none|needs|makes|context"  # of a stateless workload; "unread" is never split
_PINNED_STATES = "needs|makes|context"


def needs_reading(config: Config, workload: Workload) -> bool:
    """Return whether Envoy must read the bodies of a workload's requests to choose their route."""
    sticky = workload.assignment
    by_body = workload.match.model is not None or (sticky is not None and sticky.from_body)
    candidate = config.backends[workload.candidate]
    has_two_limits = workload.fallback and candidate.answer_timeout is not None
    declared = {candidate.foreign_reasoning, config.backends[workload.baseline].foreign_reasoning}
    about_reasoning = candidate.foreign_reasoning == "refuses" or "strip" in declared
    limits = declares(candidate) or has_two_limits or _may_get_grpc(workload, candidate)
    return by_body or keeps_state(workload) or limits or about_reasoning


def _may_get_grpc(workload: Workload, candidate: Backend) -> bool:
    """Return whether calls of a workload may be gRPC calls, although the candidate needs another name of the model.

    This name is in a message that Envoy cannot change. gRPC is split only on a path of no known API.
    """
    path = workload.match.path
    speaks_http2 = candidate.protocol == "http2" or not (candidate.url or "").startswith("http:")
    return candidate.model is not None and speaks_http2 and path is not None and form_of_path(path) is None


def keeps_state(workload: Workload) -> bool:
    """Return whether Envoy must look for requests of a workload that need or create state at the server."""
    if workload.stateless:
        return False
    path = workload.match.path
    return path is None or path.rstrip("/").endswith(CALLS_WITH_STATE)


def reads(config: Config, name: str) -> bool:
    """Return whether Envoy reads a workload's requests, for this workload or for another one on the same paths."""
    ours = config.workload(name).match
    return any(needs_reading(config, one) and _share_paths(ours, one.match) for one in config.workloads.values())


def reads_any(config: Config) -> bool:
    return any(needs_reading(config, one) for one in config.workloads.values())


def _share_paths(one: Match, other: Match) -> bool:
    prefixes = [(rule.path_prefix or "").rstrip("/") for rule in (one, other)]
    paths = [rule.path for rule in (one, other)]
    if paths[0] is not None and paths[1] is not None:
        return paths[0] == paths[1]
    if paths[0] is not None or paths[1] is not None:
        path, prefix = (paths[0], prefixes[1]) if paths[0] is not None else (paths[1], prefixes[0])
        return path == prefix or str(path).startswith(f"{prefix}/")
    return any(f"{a}/".startswith(f"{b}/") for a, b in (prefixes, prefixes[::-1]))


def reading_filters(config: Config) -> list[Json]:
    """Return the filter that reads requests on the routes that ask for reading; [] if no workload needs reading."""
    if not reads_any(config):
        return []
    text = (
        "Reads the body of a request once, on routes that ask for it. Envoy then chooses its route again by the facts."
    )
    return [with_comment(text, typed(READ_REQUEST, _LUA, source_codes={_PROGRAM: {"inline_string": _source(config)}}))]


def _source(config: Config) -> str:
    headers = headers_from_bodies(config)
    keys = ", ".join(f"[{quote(key)}] = true" for key in sorted({key for key in headers.values() if key}))
    sticky = ", ".join(f"[{quote(name)}] = {quote(key)}" for name, key in sorted(headers.items()))
    lines = [
        f"local STICKY_KEYS = {{ {keys} }}",
        f"local STICKY = {{ {sticky} }}",
        f"local MAX_BODY = {config.envoy.max_body}",
        f"local REFUSALS = {quote(','.join(map(str, REFUSALS)))}",
        f"local STREAMED = {{ {', '.join(map(quote, STREAMED_CALLS))} }}",
        f"local STREAMED_BY_DEFAULT = {{ {', '.join(map(quote, STREAMED_BY_DEFAULT))} }}",
        f"local STORED = {{ {', '.join(map(quote, STORED_BY_DEFAULT))} }}",
    ]
    return "\n".join(lines) + "\n\n" + _program()


@cache
def _program() -> str:
    folder = files("glidepath_ops.envoyconfig")
    return "\n".join((folder / name).read_text() for name in _PARTS)


def filter_of_reading_route() -> Json:
    """Return the ``typed_per_filter_config`` that makes the filter read the requests of a route."""
    return {READ_REQUEST: {"@type": f"{TYPE}extensions.filters.http.lua.v3.LuaPerRoute", "name": _PROGRAM}}


def metadata_of_reading_route(reads: str) -> Json:
    """Return the metadata of a reading route that set the fact ``route`` to ``reads`` (see ``route_is``)."""
    return {"filter_metadata": {READ_REQUEST: {"reads": reads}}}


def metadata_of_repeat_without_reasoning(config: Config, workloads: Sequence[str]) -> Json:
    """Return the metadata of a reading route for which Envoy may repeat a request without foreign reasoning, or {}.

    This applies to a backend with ``foreign_reasoning: strip``. The backend first gets the request unchanged. If the
    backend refuses it, Envoy repeats the request without the parts that another server may have made. A candidate with
    fallback never gets these parts.
    """
    found = (config.workload(name) for name in workloads)
    sides = {side for one in found for side in (one.baseline, *(() if one.fallback else (one.candidate,)))}
    if all(config.backends[side].foreign_reasoning != "strip" for side in sides):
        return {}
    return {"metadata": {"filter_metadata": {READ_REQUEST: {"asks_again": True}}}}


def metadata_of_pinned_route(workload: str, why: str = "") -> Json:
    """Return the metadata of a route for requests that are not split. ``why``: the reason; "" if the facts show it."""
    named = {envoy_names.ROUTE_PINNED: workload, **({envoy_names.ROUTE_PINNED_WHY: why} if why else {})}
    return {"filter_metadata": {envoy_names.METADATA: named}}


def not_yet_read() -> Json:
    """Return the MetadataMatcher for requests that no filter has read yet. So each request is read only once."""
    return {**_fact("state", {"present_match": True}), "invert": True}


def route_is(reads: str) -> Json:
    """Return the MetadataMatcher for requests that were read on the route ``reads``."""
    return _fact("route", {"string_match": {"exact": reads}})


def split_conditions(workload: Workload) -> list[Json]:
    """Return the MetadataMatchers for those requests of a workload that are split.

    Requests with Ollama's ``context`` are split if each user stays on one side, because the ``context`` was made there.
    """
    test: Json = {"exact": "none"}
    if workload.stateless or workload.assigned_by_user:
        test = {"safe_regex": {"regex": _SPLIT_STATES if workload.stateless else "none|context"}}
    return [_fact("state", {"string_match": test}), *_model_is(workload.match)]


def streamed() -> Json:
    """Return the MetadataMatcher for requests that ask for a streamed answer."""
    return _fact("stream", {"string_match": {"exact": "true"}})


def stateful_conditions(workload: Workload) -> list[Json]:
    """Return the MetadataMatchers for those requests of a workload that need or create state."""
    return [_fact("state", {"string_match": {"safe_regex": {"regex": _PINNED_STATES}}}), *_model_is(workload.match)]


def unread_conditions() -> list[Json]:
    """Return the MetadataMatchers for requests whose body could not be read, so that their model is unknown."""
    return [_fact("state", {"string_match": {"exact": "unread"}})]


def ineligible_conditions(workload: Workload, candidate: Backend) -> Iterator[tuple[Ineligible, list[Json]]]:
    """Yield each reason why the candidate cannot serve requests, with the MetadataMatchers for these requests.

    The length of a prompt is estimated from the length of the body. A request with pictures counts as short, because
    its length says nothing about the prompt. If the candidate refuses it, the request is rescued.
    """
    model = _model_is(workload.match)
    if candidate.max_body is not None:
        yield Ineligible.MAX_BODY, [_fact("bytes", _more_than(candidate.max_body)), *model]
    if candidate.context is not None:
        only_text = _fact("modalities", {"string_match": {"exact": ""}})
        longer = _fact("bytes", _more_than(candidate.context * BYTES_PER_TOKEN))
        yield Ineligible.CONTEXT, [longer, only_text, *model]
    if candidate.modalities is not None and (others := sorted({*OTHER_THAN_TEXT} - {*candidate.modalities})):
        pattern = f"(.*,)?({'|'.join(others)})(,.*)?"
        yield Ineligible.MODALITIES, [_fact("modalities", {"string_match": {"safe_regex": {"regex": pattern}}}), *model]
    if not candidate.tools:
        yield Ineligible.TOOLS, [_fact("tools", {"string_match": {"safe_regex": {"regex": "client|hosted"}}}), *model]


def kept_from_candidate(workload: Workload, candidate: Backend) -> Iterator[tuple[str, list[Json]]]:
    """Yield each declared reason to keep requests from the candidate, with the MetadataMatchers for these requests.

    extproc counts the requests under the same reasons (``access_log_tag_values.PIN_REASONS``).
    """
    for why, conditions in ineligible_conditions(workload, candidate):
        yield f"ineligible_{why.value}", conditions
    if _may_get_grpc(workload, candidate):
        yield GRPC_MODEL, [_fact("read", {"string_match": {"exact": "grpc"}}), *_model_is(workload.match)]
    if candidate.foreign_reasoning == "refuses":
        yield FOREIGN_REASONING, [_fact("signed", {"string_match": {"exact": "true"}}), *_model_is(workload.match)]


def _more_than(number: int) -> Json:
    """Return the ValueMatcher for texts that are a whole number above ``number``. (Envoy cannot compare numbers.)"""
    return {"string_match": {"safe_regex": {"regex": regex_of_numbers_above(number)}}}


def regex_of_numbers_above(number: int) -> str:
    """Return a regular expression (RE2) for decimal numbers above ``number``, without leading zeros.

    Such numbers have more digits, or have equal first digits followed by a greater digit.
    """
    digits = str(number)
    greater = [
        f"{digits[:at]}[{int(digit) + 1}-9]\\d{{{len(digits) - at - 1}}}"
        for at, digit in enumerate(digits)
        if digit != "9"
    ]
    return "|".join([f"[1-9]\\d{{{len(digits)},}}", *greater])


def _model_is(rule: Match) -> list[Json]:
    if rule.model is None:
        return []
    wanted = rule.model
    test: Json = {"exact": wanted.exact} if wanted.exact is not None else {"prefix": wanted.prefix}
    if wanted.regex is not None:
        test = {"safe_regex": {"regex": wanted.regex}}
    return [_fact("model", {"string_match": test})]


def _fact(name: str, value: Json) -> Json:
    return {"filter": envoy_names.REQUEST_FACTS, "path": [{"key": name}], "value": value}


def with_facts(match: Json, conditions: list[Json]) -> Json:
    """Return a RouteMatch with added conditions on the facts about a request."""
    return {**match, "dynamic_metadata": [*match.get("dynamic_metadata", []), *conditions]} if conditions else match

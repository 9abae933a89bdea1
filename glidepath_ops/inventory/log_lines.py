"""Counts access log lines in JSON, as proxies and gateways write them, for the inventory.

docs/reference/inventory.md lists the fields. Only counts are kept, so the memory does not grow with the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Any

from pydantic_core import from_json

from glidepath.call_classes import call_class
from glidepath.config.inventory import InventorySection
from glidepath.inventory.callers import FINGERPRINT, NOBODY, UNKNOWN, fingerprint, is_credential
from glidepath.inventory.path_patterns import model_in_path, path_pattern
from glidepath.inventory.tally import OTHER, GroupKey, Source, Tally, count_name, count_value, shape_name
from glidepath.printable_text import shown_id, shown_name
from glidepath.read_token_usage import usage_from
from glidepath.token_usage import MOST_TOKENS, TokenUsage, counts_of

MOST_LINE = 64 * 1024  # bytes
MOST_GROUPS = 20_000
MOST_NAMED = 5  # bad lines about which there is a message
_MOST_KEYS = 50_000  # keys that are remembered
PATHS = ("path", "request_path", "uri", "url", "original_path")
METHODS = ("method", "request_method", "http_method")
TIMES = ("time", "timestamp", "start_time", "ts")
STATUSES = ("status", "response_code", "status_code")
DURATIONS = ("duration_ms", "duration", "latency_ms", "response_time_ms")
TTFTS = ("ttft_ms", "time_to_first_token_ms")
SIZES_IN = ("bytes_in", "bytes_received", "request_bytes")
SIZES_OUT = ("bytes_out", "bytes_sent", "response_bytes")
BACKENDS = ("backend", "upstream_cluster")
_USAGE_KEYS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_PLAIN_USAGE = {"prompt_tokens", "completion_tokens", "total_tokens"}
_MODALITIES = frozenset({"audio", "file", "image", "video"})
_MOST_NUMBER = 1e13
DEFAULT_CALLER = "caller"


class BadLineError(ValueError):
    """A line that cannot be counted. The message says what is wrong, but contains no value of the line."""


class LogLines:
    """The counts of all lines so far.

    ``caller``: the field that names the caller. If it is DEFAULT_CALLER and has no value in a line, the fields for the
    headers in ``inventory.callers`` are read. Such a field has the name of the header, or the name with underscores.
    ``bad``: the number of unreadable lines, by reason.
    ``named``: messages about the first unreadable lines, with file and line number.
    """

    def __init__(self, section: InventorySection, caller: str, since_ms: int = 0) -> None:
        self._caller, self._since_ms = caller, since_ms
        headers = section.callers if caller == DEFAULT_CALLER else ()
        self._callers = (
            (caller, caller),
            *((form, name) for name in headers for form in (name, name.replace("-", "_"))),
        )
        self._exact = frozenset(path.rstrip("/") for path in section.paths)
        self._fingerprints, self._fingerprint_key = section.fingerprint, token_bytes(32)
        self._known: dict[tuple[Any, ...], Tally] = {}
        self.tallies: dict[GroupKey, Tally] = {}
        self.lines = self.requests = self.too_old = self.overflow = 0
        self.bad: Counter[str] = Counter()
        self.named: list[str] = []
        self.first_ms = self.last_ms = 0

    def add(self, line: bytes, where: Callable[[], str]) -> None:
        """Count a line. ``where``: returns the file and the line number, for the message about an unreadable line."""
        self.lines += 1
        if not line.strip():
            return
        try:
            self._count(line)
        except BadLineError as error:
            self.bad[str(error)] += 1
            if len(self.named) < MOST_NAMED:
                self.named.append(f"{where()}: {error}")

    def _count(self, line: bytes) -> None:
        if len(line) > MOST_LINE:
            raise BadLineError(f"longer than {MOST_LINE // 1024} KiB")
        try:
            entry = from_json(line)
        except ValueError:
            raise BadLineError("not JSON") from None
        if not isinstance(entry, dict):
            raise BadLineError("no JSON object")
        if not self._noted_time(entry):
            return
        tally = self._tally(entry)
        self.requests += 1
        _add_entry(tally, entry)

    def _noted_time(self, entry: Mapping[str, Any]) -> bool:
        """Note the time of a line, and return whether the line counts. A line without a time counts."""
        given = _first(entry, TIMES)
        if given is None:
            return True
        at_ms = unix_ms_of(given)
        if at_ms < self._since_ms:
            self.too_old += 1
            return False
        self.first_ms = min(self.first_ms or at_ms, at_ms)
        self.last_ms = max(self.last_ms, at_ms)
        return True

    def _tally(self, entry: Mapping[str, Any]) -> Tally:
        path = _first(entry, PATHS)
        if not isinstance(path, str) or not path.startswith("/"):
            raise BadLineError(f"no path (one of the fields {', '.join(PATHS)}, beginning with /)")
        short = path.partition("?")[0]
        method, status = _first(entry, METHODS), _first(entry, STATUSES)
        model, (named_by, caller) = entry.get("model"), self._caller_of(entry)
        known = (short, method, status == 101, model, named_by, caller)
        try:
            tally = self._known.get(known)
        except TypeError:
            raise BadLineError(f"the model, the method or {named_by} is not text") from None
        if tally is None:
            who = self._who(named_by, caller)
            tally = self._tally_of(self._key(short, method, status == 101, model, who))
            if len(self._known) < _MOST_KEYS:
                self._known[known] = tally
        return tally

    def _caller_of(self, entry: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the name and the value of the first field or header that names the caller and has a value.

        If there is none, return a name with None, "" or "-".
        """
        found: tuple[str, Any] = (self._caller, None)
        for field, name in self._callers:
            value = entry.get(field)
            if value not in (None, "", "-"):
                return name, value
            found = found if value is None else (name, value)
        return found

    def _key(self, path: str, method: object, upgrade: bool, model: object, who: str) -> GroupKey:
        verb = method.upper() if isinstance(method, str) and method else "POST"
        bare = path.rstrip("/")
        call = call_class(verb, path, bare if bare in self._exact else None, upgrade=upgrade)
        named = shown_id(model) if isinstance(model, str) and model not in ("", "-") else model_in_path(path)
        return GroupKey(Source.BODY, path_pattern(path), call, named, who)

    def _who(self, named_by: str, caller: object) -> str:
        """Return the name of a caller. If it is a credential, return its fingerprint."""
        if caller is None:
            return UNKNOWN
        if caller in ("", "-"):
            return NOBODY
        text = str(caller)
        if is_credential(named_by, text):
            return FINGERPRINT + fingerprint(text, self._fingerprint_key) if self._fingerprints else UNKNOWN
        return shown_name(text) if named_by == DEFAULT_CALLER else f"{named_by}={shown_name(text)}"

    def _tally_of(self, key: GroupKey) -> Tally:
        if key not in self.tallies and len(self.tallies) >= MOST_GROUPS:
            self.overflow += 1
            key = GroupKey(key.source, OTHER, key.call, "", OTHER)
        return self.tallies.setdefault(key, Tally())


def _add_entry(tally: Tally, entry: Mapping[str, Any]) -> None:
    status = _number(entry, STATUSES, 200)
    tally.requests += 1
    if status >= 500 or status == 0:
        tally.errors += 1
    elif status >= 400:
        tally.refused += 1
    streamed = entry.get("stream") is True
    tally.streamed += streamed
    size_in = int(_number(entry, SIZES_IN, 0))
    tally.bytes_in += size_in
    tally.bytes_out += int(_number(entry, SIZES_OUT, 0))
    if 200 <= status < 400:
        if duration := _number(entry, DURATIONS, 0):
            count_value(tally.latency, duration)
        if streamed and (first := _number(entry, TTFTS, 0)):
            count_value(tally.ttft, first)
    backend = _first(entry, BACKENDS)
    if isinstance(backend, str) and backend not in ("", "-"):
        count_name(tally.backends, shown_id(backend))
    usage = _usage(entry)
    if usage is not None:
        tally.add_usage(f"{usage.source}/{usage.tier}", (*counts_of(usage), usage.answers))
    _add_shape(tally, entry, size_in, usage)


def _add_shape(tally: Tally, entry: Mapping[str, Any], size_in: int, usage: TokenUsage | None) -> None:
    """Count the facts that decide who can serve the request, if the line contains any."""
    tokens = int(_number(entry, ("context_tokens",), 0)) or (usage.input + usage.output if usage else 0)
    if not tokens and not size_in:
        tally.unread += 1
        return
    given = entry.get("modalities")
    modalities = _MODALITIES.intersection(m for m in given if isinstance(m, str)) if isinstance(given, list) else ()
    shape = tally.shape(shape_name(modalities, tools=bool(entry.get("tools"))))
    shape.requests += 1
    count_value(shape.tokens, tokens or size_in // 4)
    count_value(shape.body, size_in or 1)
    tally.state += entry.get("needs_state") is True


def _usage(entry: Mapping[str, Any]) -> TokenUsage | None:
    given = entry.get("usage")
    if isinstance(given, dict):
        if given.keys() <= _PLAIN_USAGE:
            read, written = given.get("prompt_tokens"), given.get("completion_tokens")
            return TokenUsage(_tokens(read), _tokens(written))
        return usage_from(given)
    if "input_tokens" in entry or "output_tokens" in entry:
        read, written, cached, reasoning = (_tokens(entry.get(name)) for name in _USAGE_KEYS)
        return TokenUsage(read, written, cached_read=cached, reasoning=reasoning)
    return None


def _tokens(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value <= MOST_TOKENS else 0


def _first(entry: Mapping[str, Any], names: Iterable[str]) -> Any:
    for name in names:
        value = entry.get(name)
        if value is not None:
            return value
    return None


def _number(entry: Mapping[str, Any], names: Iterable[str], default: float) -> float:
    """Return the value of the first of ``names`` as a number that is not negative, else ``default``.

    The value may be written as text, as Envoy does; "-" means no value.
    """
    value = _first(entry, names)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return default
    return value if isinstance(value, int | float) and 0 <= value <= _MOST_NUMBER else default


def unix_ms_of(given: object) -> int:
    """Convert a time to Unix milliseconds.

    ``given``: ISO 8601 text, or a number of seconds or milliseconds. Raises BadLineError for anything else.
    """
    if isinstance(given, str):
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise BadLineError("the time is not of ISO 8601, nor a number of seconds or milliseconds") from None
        at_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        if at_ms < 0:
            raise BadLineError("the time is before 1970")
        return at_ms
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < _MOST_NUMBER:
        return int(given if given > 1e11 else given * 1000)
    raise BadLineError("the time is not of ISO 8601, nor a number of seconds or milliseconds")

"""Remembers in Redis which side served each request, and matches feedback with these requests.

extproc remembers requests, and any intake (the command line, an HTTP endpoint) matches feedback. A workload's
remembered requests are in several hashes, one for each part of the time window, so that Redis removes old requests by
itself. See ADR 0227.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glidepath.config import Config
from glidepath.config.user_feedback import FeedbackSection
from glidepath.errors import ConfigError, UnknownWorkloadError
from glidepath.feedback import FeedbackMatch, GivenFeedback, request_digest, user_digest
from glidepath.name_suggestions import allowed_names
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.sides import Side
from glidepath.stored_feedback import label_text, score_text

PARTS = 8  # of the window; each has a hash of its own
LATER_S = 1.0  # added to extproc.flush: the time after which extproc has stored a request that has just ended
_MARK = {Side.BASELINE: "b", Side.CANDIDATE: "c"}

# Remember requests up to the limit. A request that is already remembered keeps its value, which may show that feedback
# was matched.
# KEYS: the hash of the present part of the window.
# ARGV: maximum requests of a part, ttl (ms), then for each request its digest and its value.
# Returns how many requests were not remembered.
_REMEMBER = """
local room = tonumber(ARGV[1]) - redis.call('HLEN', KEYS[1])
local left_out = 0
for i = 3, #ARGV, 2 do
  if room > 0 then room = room - redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  else left_out = left_out + 1 end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return left_out
"""

# Match feedback with the side that served its request, and store it for the scorer. Each request is matched once: its
# value then begins with 'x'. The feedback is stored first, so that feedback that Redis refuses can be given again.
# The texts shown with the pair are stored last: if Redis refuses them, the feedback still counts.
# KEYS: feedback, the hash and the times of the texts to show, the hashes of the parts.
# ARGV: digest of the request, score ('': none), digest of the user, kept, ttl (ms), 1 if an unknown request is final,
#   else 0; of the texts to show: the score, the label ('': none), the maximum requests, now (ms), ttl (ms).
# Returns the result of the matching, a value of FeedbackMatch.
_GIVE = """
local value, place = '', nil
for i = 4, #KEYS do
  local found = redis.call('HGET', KEYS[i], ARGV[1])
  if found then value, place = found, KEYS[i] end
end
local mark, scored = string.sub(value, 1, 1), ARGV[2] ~= ''
local match = ({b = 'baseline', c = 'candidate', x = 'repeated'})[mark] or 'unknown'
if match == 'unknown' and (ARGV[6] == '0' or not scored) then return match end
if scored then
  local served = (mark == 'b' or mark == 'c') and string.sub(value, 2) or '0'
  local feedback = '["' .. match .. '",' .. ARGV[2] .. ',' .. served .. ',"' .. ARGV[3] .. '"]'
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'f', feedback)
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  if served ~= '0' then redis.call('HSET', place, ARGV[1], 'x' .. value) end
end
if match == 'unknown' then return match end
local side, fields = mark == 'x' and string.sub(value, 2, 2) or mark, {}
if ARGV[7] ~= '' and match ~= 'repeated' then fields = {ARGV[1], side .. ARGV[7]} end
if ARGV[8] ~= '' then
  fields[#fields + 1] = ARGV[1] .. ':label'
  fields[#fields + 1] = side .. ARGV[8]
end
if #fields > 0 and ARGV[9] ~= '0' then
  redis.pcall('HSET', KEYS[2], unpack(fields))
  redis.pcall('ZADD', KEYS[3], ARGV[10], ARGV[1])
  local oldest = redis.pcall('ZRANGE', KEYS[3], 0, -1 - ARGV[9])
  for _, digest in ipairs(oldest) do
    redis.pcall('HDEL', KEYS[2], digest, digest .. ':label')
    redis.pcall('ZREM', KEYS[3], digest)
  end
  redis.pcall('PEXPIRE', KEYS[2], ARGV[11])
  redis.pcall('PEXPIRE', KEYS[3], ARGV[11])
end
return scored and match or 'noted'
"""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request that a side served. ``at_ms``: when it ended, in Unix ms."""

    request_id: str
    side: Side
    at_ms: int


def part_ms(section: FeedbackSection) -> int:
    """Return the length of one part of the time window, in ms."""
    return round(section.window * 1000) // PARTS


def served_keys(workload: str, section: FeedbackSection, now_ms: int) -> list[str]:
    """Return the keys of the hashes with remembered requests, the newest part of the window first."""
    present = now_ms // part_ms(section)
    return [WorkloadKeys(workload).served(present - back) for back in range(PARTS + 1)]


class FeedbackStore:
    """The remembered requests and the feedback of one workload. All methods raise RedisError or OSError."""

    def __init__(
        self, client: RedisClient, workload: str, section: FeedbackSection, shown_s: float = 7 * 86_400
    ) -> None:
        """``shown_s``: the feedback that is kept for display expires this many seconds after the latest feedback."""
        self._client, self._workload, self._section = client, workload, section
        self._shown_ms = round(shown_s * 1000)
        self._keys = WorkloadKeys(workload)
        self._window_ms = round(section.window * 1000)
        self._part_ms = part_ms(section)

    async def remember(self, served: Sequence[ServedRequest], now_ms: int) -> int:
        """Remember requests. Return how many were left out because the limit ``feedback.requests`` is reached."""
        if not served:
            return 0
        most = self._section.requests // PARTS
        fields = [part for one in served for part in (request_digest(one.request_id), f"{_MARK[one.side]}{one.at_ms}")]
        key = self._keys.served(now_ms // self._part_ms)
        return int(await self._client.eval(_REMEMBER, 1, key, most, self._window_ms + self._part_ms, *fields))

    async def give(self, given: GivenFeedback, now_ms: int, *, final: bool = True) -> FeedbackMatch:
        """Match feedback with the side that served its request, and store it for the scorer.

        ``final``: whether to count an unknown request as unknown. If False, the caller tries again later, because
        extproc writes requests a moment after they end.
        """
        parts = served_keys(self._workload, self._section, now_ms)
        keys = [self._keys.feedback, self._keys.feedback_notes, self._keys.feedback_note_times, *parts]
        digest, user = request_digest(given.request_id), user_digest(self._workload, given.user)
        score = "" if given.score is None else given.score
        counted = (digest, score, user, self._section.kept, 2 * self._window_ms, int(final))
        texts = score_text(given, user, now_ms), label_text(given, user, now_ms)
        match = await self._client.eval(
            _GIVE, len(keys), *keys, *counted, *texts, self._section.shown, now_ms, self._shown_ms
        )
        return FeedbackMatch(match.decode())


def feedback_stores(config: Config, client: RedisClient, only: str | None = None) -> dict[str, FeedbackStore]:
    """Return the stores of all workloads with a ``feedback`` section, by workload.

    The key "" is for feedback that names no workload. Its store is the store of ``only``, or of the only workload.
    Raises ConfigError if no workload has the section, or if ``only`` lacks it, and UnknownWorkloadError for an unknown
    ``only``.
    """
    stores = {
        name: FeedbackStore(client, name, one.feedback, config.retention.age)
        for name, one in config.workloads.items()
        if one.feedback is not None
    }
    if not stores:
        raise ConfigError("no workload has a feedback section; add workloads.NAME.feedback: {}")
    if only is not None:
        config.workload(only)
        if only not in stores:
            raise ConfigError(f"workloads.{only} has no feedback section; add feedback: {{}}")
        return stores | {"": stores[only]}
    return stores | ({"": next(iter(stores.values()))} if len(stores) == 1 else {})


def store_of(stores: Mapping[str, FeedbackStore], name: str, how: str = "") -> FeedbackStore:
    """Return the store of the workload ``name``. ``how``: another way to name the workload, for the error message.

    Raises UnknownWorkloadError, whose message lists the known workloads.
    """
    if name in stores:
        return stores[name]
    known = [known for known in stores if known]
    if not name:
        raise UnknownWorkloadError(f"workload: is missing{how} (known: {', '.join(sorted(known))})")
    raise UnknownWorkloadError(f"workload: {name[:60]!r} has no feedback section {allowed_names(known, name)}")

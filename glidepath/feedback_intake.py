"""Remember in Redis which side served each request, and match feedback with it.

extproc remembers, and any intake (the command line, an HTTP endpoint) matches. The remembered requests of a workload
are in several hashes, one for each part of the window, so that Redis forgets old requests by itself. See ADR 0227.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback import FeedbackMatch, GivenFeedback, request_digest, user_digest
from glidepath.pairs_and_outcomes import Side
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

PARTS = 8  # of the window; each has a hash of its own
_MARK = {Side.BASELINE: "b", Side.CANDIDATE: "c"}

# Remember requests, as many as there is room for. A request that is remembered already keeps its value: it may be the
# mark that feedback was matched.
# KEYS: the hash of the present part of the window.
# ARGV: most requests of a part, ttl (ms), then for each request its digest and its value.
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
# KEYS: feedback, the hashes of the parts.  ARGV: digest of the request, score, digest of the user, kept, ttl (ms),
#   1 if an unknown request is final, else 0.
# Returns what became of it, a value of FeedbackMatch.
_GIVE = """
local value, place = '', nil
for i = 2, #KEYS do
  local found = redis.call('HGET', KEYS[i], ARGV[1])
  if found then value, place = found, KEYS[i] end
end
local mark = string.sub(value, 1, 1)
local match = ({b = 'baseline', c = 'candidate', x = 'repeated'})[mark] or 'unknown'
if match == 'unknown' and ARGV[6] == '0' then return match end
local served = (mark == 'b' or mark == 'c') and string.sub(value, 2) or '0'
local feedback = '["' .. match .. '",' .. ARGV[2] .. ',' .. served .. ',"' .. ARGV[3] .. '"]'
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'f', feedback)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if served ~= '0' then redis.call('HSET', place, ARGV[1], 'x' .. value) end
return match
"""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request that a side served. ``at_ms``: when it ended, in Unix ms."""

    request_id: str
    side: Side
    at_ms: int


class FeedbackStore:
    """The remembered requests and the feedback of one workload. All methods raise RedisError or OSError."""

    def __init__(self, client: RedisClient, workload: str, section: FeedbackSection) -> None:
        self._client, self._workload, self._section = client, workload, section
        self._keys = WorkloadKeys(workload)
        self._window_ms = round(section.window * 1000)
        self._part_ms = self._window_ms // PARTS

    async def remember(self, served: Sequence[ServedRequest], now_ms: int) -> int:
        """Remember requests. Return how many were left out, because ``feedback.requests`` are remembered already."""
        if not served:
            return 0
        most = self._section.requests // PARTS
        fields = [part for one in served for part in (request_digest(one.request_id), f"{_MARK[one.side]}{one.at_ms}")]
        key = self._keys.served(now_ms // self._part_ms)
        return int(await self._client.eval(_REMEMBER, 1, key, most, self._window_ms + self._part_ms, *fields))

    async def give(self, given: GivenFeedback, now_ms: int, *, final: bool = True) -> FeedbackMatch:
        """Match feedback with the side that served its request, and store it for the scorer.

        ``final``: whether an unknown request is counted as such; otherwise the caller tries again later, because
        extproc writes a moment after the request.
        """
        present = now_ms // self._part_ms
        keys = [self._keys.feedback, *(self._keys.served(present - back) for back in range(PARTS + 1))]
        digest, user = request_digest(given.request_id), user_digest(self._workload, given.user)
        arguments = (digest, given.score, user, self._section.kept, 2 * self._window_ms, int(final))
        match = await self._client.eval(_GIVE, len(keys), *keys, *arguments)
        return FeedbackMatch(match.decode())

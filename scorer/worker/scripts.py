"""What must happen in one step in Redis. All keys of a script carry the same hash tag; Redis 6.2 suffices."""

from __future__ import annotations

# KEYS: done, results, pairs, noise.  ARGV: ttl (ms), results kept, entry, group, result, then what NOISE adds up:
# ttl of the floor (ms), and pairs of field and increment; nothing for a CROSS pair.
# Returns 1 for the pair's first result, 0 when it has one: redelivered, or written by a reply that got lost.
FINISH = """
local first = redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1])
if first then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'r', ARGV[5])
  for i = 7, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[4], ARGV[i], ARGV[i + 1]) end
  if ARGV[6] then redis.call('PEXPIRE', KEYS[4], ARGV[6]) end
end
redis.call('XACK', KEYS[3], ARGV[4], ARGV[3])
if first then return 1 end
return 0
"""

# KEYS: pairs, status.  Returns the id of the last pair written ("" without any), and the status as it stands.
# A script, because a plain XINFO STREAM sends the first and the last entry along: bodies.
NEWEST = """
local info, newest = redis.pcall('XINFO', 'STREAM', KEYS[1]), ''
for i = 1, #info - 1, 2 do
  if info[i] == 'last-generated-id' then newest = info[i + 1] end
end
return {newest, redis.call('GET', KEYS[2]) or ''}
"""

# KEYS: questions of this day.  ARGV: how many may be asked, ttl (ms).  Returns 1 if one more may.
SPEND = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: dead, pairs.  ARGV: age kept (ms), entries kept, entry, group, pair, why.
# Only who acknowledges the entry writes it: once, however many scorers gave it up.
BURY = """
if redis.call('XACK', KEYS[2], ARGV[4], ARGV[3]) == 0 then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'p', ARGV[5], 'why', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: pairs.  ARGV: group, consumer, idle (ms), count.
# Takes over what another consumer has held for too long. XPENDING and XCLAIM, not XAUTOCLAIM, whose reply names neither
# the number of deliveries nor (in 6.2) which entries were trimmed meanwhile: those are acknowledged, and counted lost.
RECLAIM = """
local taken, lost = {}, 0
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[4])) do
  local entry = redis.call('XRANGE', KEYS[1], row[1], row[1])
  if #entry == 0 then
    lost = lost + redis.call('XACK', KEYS[1], ARGV[1], row[1])
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, row[1])
    taken[#taken + 1] = {row[1], row[4] + 1, entry[1][2]}
  end
end
return {taken, lost}
"""

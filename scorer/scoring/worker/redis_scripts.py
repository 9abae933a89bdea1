"""What must happen in one step in Redis. All keys of a script carry the same hash tag; Redis 6.2 suffices."""

from __future__ import annotations

# KEYS: done, results, pairs, noise, queue.  ARGV: ttl (ms), results kept, entry, group, result, then what NOISE adds
# up: ttl of the floor (ms), and pairs of field and increment; nothing for a CROSS pair.
# Returns 1 for the pair's first result, 0 when it has one: redelivered, or written by a reply that got lost.
WRITE_RESULT = """
local first = redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1])
if first then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'r', ARGV[5])
  for i = 7, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[4], ARGV[i], ARGV[i + 1]) end
  if ARGV[6] then redis.call('PEXPIRE', KEYS[4], ARGV[6]) end
end
redis.call('HINCRBY', KEYS[5], 'acked', redis.call('XACK', KEYS[3], ARGV[4], ARGV[3]))
if first then return 1 end
return 0
"""

# KEYS: pairs, status.  Returns the id of the last pair written ("" without any), and the status as it stands.
# A script, because a plain XINFO STREAM sends the first and the last entry along: bodies.
NEWEST_PAIR = """
local info, newest = redis.pcall('XINFO', 'STREAM', KEYS[1]), ''
for i = 1, #info - 1, 2 do
  if info[i] == 'last-generated-id' then newest = info[i + 1] end
end
return {newest, redis.call('GET', KEYS[2]) or ''}
"""

# KEYS: questions of this day.  ARGV: how many may be asked, ttl (ms).  Returns 1 if one more may.
SPEND_EVALUATION = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: dead, pairs, queue.  ARGV: age kept (ms), entries kept, entry, group, pair, why.
# Only who acknowledges the entry writes it: once, however many scorers gave it up.
SET_ASIDE = """
if redis.call('XACK', KEYS[2], ARGV[4], ARGV[3]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[3], 'acked', 1)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'p', ARGV[5], 'why', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: pairs, queue.  ARGV: group, consumer, idle (ms), count.
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
redis.call('HINCRBY', KEYS[2], 'acked', lost)
return {taken, lost}
"""

# KEYS: pairs, queue.  ARGV: group, consumer, entries.  Not XCLAIM alone: since Redis 7 it takes what was trimmed while
# in hand off the list of what is in hand, and nobody would know that it was taken.
RENEW_CLAIMS = """
for i = 3, #ARGV do
  if #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  else
    redis.call('HINCRBY', KEYS[2], 'acked', redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]))
  end
end
"""

# KEYS: pairs, queue.  ARGV: group.  Begins to count with the group: 1 if it was not there.
CREATE_GROUP = """
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and string.find(made.err, 'BUSYGROUP', 1, true) then return 0 end
if made.err then return made end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'base', 0)
return 1
"""

# KEYS: pairs, queue.  ARGV: group.  Returns {trimmed untaken so far, how many of them were told}; {} where it cannot be
# known: before Redis 7, and while the group stands in the middle of the stream. A script, as all numbers
# must be of one moment. Trimmed untaken = ever added - acknowledged - in hand - still to be taken (- what was so before
# this count began, with a group made by an earlier version).
COUNT_TRIMMED = """
local function named(reply)
  local fields = {}
  for i = 1, #reply - 1, 2 do fields[reply[i]] = reply[i + 1] end
  return fields
end
local function before(one, other)
  local ms1, n1 = string.match(one, '(%d+)-(%d+)')
  local ms2, n2 = string.match(other, '(%d+)-(%d+)')
  ms1, ms2 = tonumber(ms1), tonumber(ms2)
  return ms1 < ms2 or (ms1 == ms2 and tonumber(n1) < tonumber(n2))
end
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then return {} end
local stream = named(info)
if not stream['entries-added'] then return {} end
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(row)
  if group['name'] == ARGV[1] then
    local at, left = group['last-delivered-id'], nil
    if stream['length'] == 0 or at == stream['last-generated-id'] then left = 0
    elseif before(at, stream['first-entry'][1]) then left = stream['length'] end
    if not left then return {} end
    local done = tonumber(redis.call('HGET', KEYS[2], 'acked') or '0') + group['pending']
    local gone = stream['entries-added'] - done - left
    redis.call('HSETNX', KEYS[2], 'base', gone)
    return {gone - redis.call('HGET', KEYS[2], 'base'), redis.call('HGET', KEYS[2], 'told') or '0'}
  end
end
return {}
"""

# KEYS: queue, outcomes.  ARGV: told before, told now, outcomes kept, an Outcomes.  Returns 1 if nobody was faster.
REPORT_TRIMMED = """
if (redis.call('HGET', KEYS[1], 'told') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'told', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'o', ARGV[4])
return 1
"""

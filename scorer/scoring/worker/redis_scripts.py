"""Lua scripts for steps that must be atomic in Redis. All keys of a script share one hash tag.

The scripts need Redis 6.2. They use three counts in the hash WorkloadKeys.queue:

``acked``: the pairs that scorers have acknowledged.
``reported``: the trimmed pairs that have been reported (retention_loss.py).
``uncounted``: the pairs that had already been acknowledged or trimmed when the scorers began to count.

See ADR 0038.
"""

from __future__ import annotations

# Write the result of a pair that has not been acknowledged, and acknowledge it. The result comes first, so that a pair
# whose result Redis refuses stays claimed.
# KEYS: results, pairs, noise, queue.
# ARGV: results kept, entry, group, result; for a NOISE pair also the ttl of the noise floor (ms), and then each field
#   of the noise floor followed by its increment.
# Returns 1 for the pair's first result. Returns 0 if the pair has been acknowledged: it was delivered again, or the
# reply to the first write was lost. See ADR 0157.
WRITE_RESULT = """
if #redis.call('XPENDING', KEYS[2], ARGV[3], ARGV[2], ARGV[2], 1) == 0 then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'r', ARGV[4], 'e', ARGV[2])
for i = 6, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1]) end
if ARGV[5] then redis.call('PEXPIRE', KEYS[3], ARGV[5]) end
redis.call('HINCRBY', KEYS[4], 'acked', redis.call('XACK', KEYS[2], ARGV[3], ARGV[2]))
return 1
"""

# Read the id of the newest pair and the status. A plain XINFO STREAM would also send the first and the last entry with
# their bodies.
# KEYS: pairs, status.
# Returns the id ("" if there is no pair) and the stored status.
NEWEST_PAIR = """
local info, newest = redis.pcall('XINFO', 'STREAM', KEYS[1]), ''
for i = 1, #info - 1, 2 do
  if info[i] == 'last-generated-id' then newest = info[i + 1] end
end
return {newest, redis.call('GET', KEYS[2]) or ''}
"""

# Count one evaluation, if the day's limit allows it.
# KEYS: the day's evaluations.  ARGV: limit, ttl (ms).
# Returns 1 if counted, 0 at the limit.
SPEND_EVALUATION = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

# Move a pair to the stream of dead pairs. Only the scorer whose XACK succeeds writes the entry, so the entry is written
# once even if several scorers set the pair aside.
# KEYS: dead, pairs, queue.  ARGV: age kept (ms), entries kept, entry, group, pair, why.
# Returns 1 if the entry was written, else 0.
SET_ASIDE = """
if redis.call('XACK', KEYS[2], ARGV[4], ARGV[3]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[3], 'acked', 1)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'p', ARGV[5], 'why', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""

# Claim pairs that another consumer claimed too long ago. The script uses XPENDING and XCLAIM, because the reply of
# XAUTOCLAIM contains no number of deliveries and, in Redis 6.2, no trimmed entries. Trimmed entries are acknowledged
# and counted as lost.
# KEYS: pairs, queue.  ARGV: group, consumer, idle (ms), count.
# Returns {entries with their deliveries, number of trimmed entries}.
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

# Renew the claims on entries. Trimmed entries are left out: since Redis 7, XCLAIM would silently remove them from the
# pending list. Their results can be written until RECLAIM takes them.
# KEYS: pairs.  ARGV: group, consumer, entries.
RENEW_CLAIMS = """
for i = 3, #ARGV do
  if #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  end
end
"""

# Create the consumer group and reset its counts.
# KEYS: pairs, queue.  ARGV: group.
# Returns 0 if the group already exists.
CREATE_GROUP = """
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and string.find(made.err, 'BUSYGROUP', 1, true) then return 0 end
if made.err then return made end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'uncounted', 0)
return 1
"""

# Count the pairs that were trimmed before they were claimed. A script reads all the numbers at the same moment:
#   trimmed = entries ever added - acked - pending - unclaimed - uncounted
# 'uncounted' is usually 0. If the group existed before the hash had counts, it is the difference at the first call.
# KEYS: pairs, queue.  ARGV: group.
# Returns {trimmed pairs, reported pairs}. Returns {} if the number is unknown: in Redis before 7, and while the group
# has read only a part of the stream.
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
    local at, unclaimed = group['last-delivered-id'], nil
    if stream['length'] == 0 or at == stream['last-generated-id'] then unclaimed = 0
    elseif before(at, stream['first-entry'][1]) then unclaimed = stream['length'] end
    if not unclaimed then return {} end
    local done = tonumber(redis.call('HGET', KEYS[2], 'acked') or '0') + group['pending']
    local gone = stream['entries-added'] - done - unclaimed
    redis.call('HSETNX', KEYS[2], 'uncounted', gone)
    return {gone - redis.call('HGET', KEYS[2], 'uncounted'), redis.call('HGET', KEYS[2], 'reported') or '0'}
  end
end
return {}
"""

# Report trimmed pairs, unless another scorer has just reported them.
# KEYS: queue, outcomes.  ARGV: reported before, reported now, outcomes kept, an Outcomes.
# Returns 1 if the report was written, else 0.
REPORT_TRIMMED = """
if (redis.call('HGET', KEYS[1], 'reported') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'reported', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'o', ARGV[4])
return 1
"""

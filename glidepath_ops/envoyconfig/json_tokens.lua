-- Finds the tokens of a JSON body in windows, with bounded work: a worker thread serves no other request meanwhile.
--
-- Long strings, numbers and white space are skipped by plain searches, which take 0.2 ms a MiB. What remains are
-- tokens: quotes, brackets and braces. A body with too many of them is not searched to its end. bench/body_shapes.py
-- measures it.

local WINDOW = 65536
local MAX_TOKENS = 50000 -- take 5 ms, and more until LuaJIT has compiled the loop
-- The work in tokens: for a byte of a run of backslashes, for a read of a key, for a byte that a pattern is matched
-- with, and for a byte that is hashed.
local PER_ESCAPE, PER_READ, PER_MATCHED, PER_HASHED = 0.125, 10, 0.125, 0.0625
local SHORT_GAP = 32 -- bytes between two tokens that are matched at no cost
local TOO_COMPLEX, UNREADABLE = "too_complex", "unreadable"

-- Returns the position of the quote that ends a string, or nil if it is not in this window. `at`: where to search.
-- A quote after an odd number of backslashes is escaped. scan.odd: whether the window before ended with an odd number.
local function string_end(scan, text, at)
  while true do
    local quote = text:find('"', at, true)
    local last = (quote or #text + 1) - 1
    local first = last
    while first >= at and text:byte(first) == 92 do first = first - 1 end
    local count = last - first
    scan.tokens = scan.tokens + (count + 1) * PER_ESCAPE
    if first < at and scan.odd then count = count + 1 end
    scan.odd = count % 2 == 1 and quote == nil
    if quote == nil or count % 2 == 0 then return quote end
    if scan.tokens > MAX_TOKENS then return nil end
    at = quote + 1
  end
end

local function unescaped_ascii(text)
  return (text:gsub("\\u(%x%x%x%x)", function(digits)
    local code = tonumber(digits, 16)
    return code < 128 and string.char(code) or nil
  end))
end

-- Returns the bytes of the body from `first` to `last`. Most lie in the window.
local function piece(scan, first, last)
  if first > scan.from then return scan.text:sub(first - scan.from, last - scan.from) end
  scan.tokens = scan.tokens + PER_READ
  return scan.body:getBytes(first - 1, last - first + 1)
end

-- Returns the position of the next quote, bracket or brace at or after `at`, or nil, and its byte.
local function next_token(text, at, seen)
  if seen.quote < at then seen.quote = text:find('"', at, true) or math.huge end
  if seen.open < at then seen.open = text:find("{", at, true) or math.huge end
  if seen.close < at then seen.close = text:find("}", at, true) or math.huge end
  if seen.list < at then seen.list = text:find("[", at, true) or math.huge end
  if seen.list_end < at then seen.list_end = text:find("]", at, true) or math.huge end
  local found = math.min(seen.quote, seen.open, seen.close, seen.list, seen.list_end)
  if found == math.huge then return nil end
  return found, text:byte(found)
end

-- Returns whether a body is JSON for some servers although its bytes are none: UTF-16 or UTF-32, which has a zero byte
-- or a byte order mark at its beginning (RFC 4627, section 3), or compressed by gzip (RFC 1952) or zstd (RFC 8878).
local function is_encoded(text)
  local first = text:sub(1, 4)
  return first:find("\0", 1, true) ~= nil or first:sub(1, 2) == "\254\255" or first:sub(1, 2) == "\255\254"
    or first:sub(1, 2) == "\31\139" or first == "\40\181\47\253"
end

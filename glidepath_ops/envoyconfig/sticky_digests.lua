-- Computes the digests that keep a user on one side: of a conversation's beginning, and of a sticky key of the body.
--
-- request_facts.lua calls these functions while it reads a body.

local HASHED_END = 1024 -- bytes of a text's beginning and of its end that a conversation is told apart by
local MOST_HASHED = 65536 -- bytes that a conversation is told apart by

-- Adds a text to a hash (two of FNV-1a's kind with other primes): its length, its beginning and its end.
local function hashed(hash, text)
  local a, b = hash[1], hash[2]
  local function add(from, to)
    for at = from, to do
      local byte = text:byte(at)
      a = bit.tobit(bit.bxor(a, byte) * 0x0193)
      b = bit.bxor(bit.rol(b, 5), byte) + 0x9e3779
      b = bit.tobit(b)
    end
  end
  local length = #text
  if length <= 2 * HASHED_END then
    add(1, length)
  else
    add(1, HASHED_END)
    add(length - HASHED_END + 1, length)
  end
  hash[1], hash[2], hash.bytes = bit.bxor(a, length), bit.tobit(b + length), hash.bytes + length
end

local function new_hash()
  return { -2128831035, 1540483477, bytes = 0 }
end

local function digest(hash)
  return bit.tohex(hash[1]) .. bit.tohex(hash[2])
end

-- Returns the text between two quotes, or its beginning and its end if it is long.
local function sample(scan, first, last)
  if last - first - 1 <= 2 * HASHED_END then return piece(scan, first + 1, last - 1) end
  return piece(scan, first + 1, first + HASHED_END) .. piece(scan, last - HASHED_END, last - 1)
end

local function add_text(scan, first, last)
  hashed(scan.hash, sample(scan, first, last))
  hashed(scan.hash, tostring(last - first))
  if scan.hash.bytes >= MOST_HASHED then scan.decided = true end
end

-- Keys of an address's query that are signed anew, in small letters.
local SIGNATURES = { "&sig", "&expires", "token=", "&x%-amz%-", "&x%-goog%-" }

-- Returns an address without its query if the query is signed, which may be done anew at each turn; nil otherwise.
local function unsigned(scan, text)
  local address, query = text:match("^(%a+://[^?]*)%?(.*)$")
  if address == nil then return nil end
  query = "&" .. query:lower()
  for _, sign in ipairs(SIGNATURES) do
    if query:find(sign) then
      scan.hash.bytes = scan.hash.bytes + #query
      return address
    end
  end
  return nil
end

-- Adds a picture or another file: its bytes or its address.
local function add_picture(scan, first, last)
  if scan.hash.bytes >= MOST_HASHED then return end
  local text = sample(scan, first, last)
  local address = unsigned(scan, text)
  hashed(scan.hash, address or text)
  if address == nil then hashed(scan.hash, tostring(last - first)) end
end

local function add_sticky(scan, key, text)
  if not STICKY_KEYS[key] or text == "" then return end
  local hash = new_hash()
  scan.tokens = scan.tokens + #text * PER_HASHED
  hashed(hash, text)
  scan.facts.keys[key] = digest(hash)
end

-- Replaces the model's name in a JSON body, whose tokens json_tokens.lua finds. A long body is not renamed at all,
-- because Lua must copy it (1 ms a MiB).

local MAX_RENAMED = 4 * 1048576 -- bytes; takes 5 ms, and Envoy as much to send them
local LONGEST_KEY = 2 + 5 * 6 -- bytes of "model" with every letter escaped
local LONGEST_COLON = 1024 -- bytes between a key and its value
local TOO_LONG = "too_long"

-- Whether the string from `first` to `last` is the key "model".
local function is_model_key(scan, body, first, last)
  local length = last - first + 1
  if length < 7 or length > LONGEST_KEY then return false end
  scan.tokens = scan.tokens + PER_READ
  return unescaped_ascii(body:getBytes(first - 1, length)) == '"model"'
end

-- Takes a string that has ended. Positions are those in the body. A string at depth 1 is a key or a value.
local function take_string(scan, body, last)
  if scan.depth ~= 1 then return end
  if scan.is_value then
    scan.spans[#scan.spans + 1], scan.is_value = { scan.start, last }, false
  elseif is_model_key(scan, body, scan.start, last) then
    scan.key_end = last
  end
end

-- Takes the next token after a string at depth 1: whether the string was a key, and this quote begins its value.
local function take_quote(scan, body, start)
  scan.start = start
  if scan.key_end == nil then return end
  local length = start - scan.key_end - 1
  scan.tokens = scan.tokens + PER_READ
  if length > LONGEST_COLON then
    scan.tokens = MAX_TOKENS + 1
  elseif length > 0 then
    scan.is_value = body:getBytes(scan.key_end, length):find("^%s*:%s*$") ~= nil
  end
  scan.key_end = nil
end

-- Scans one window, whose first byte is at the position from + 1 of the body.
local function scan_window(scan, body, from, text, at)
  local seen = { quote = 0, open = 0, close = 0, list = 0, list_end = 0 }
  while scan.tokens <= MAX_TOKENS do
    if scan.in_string then
      local quote = string_end(scan, text, at)
      if quote == nil then return end
      scan.in_string, at = false, quote + 1
      take_string(scan, body, from + quote)
    end
    local found, byte = next_token(text, at, seen)
    if found == nil then return end
    scan.tokens, at = scan.tokens + 1, found + 1
    if byte == 34 then
      take_quote(scan, body, from + found)
      scan.in_string = true
    else
      scan.key_end = nil
      scan.depth = scan.depth + ((byte == 123 or byte == 91) and 1 or -1)
      if scan.depth == 0 then
        scan.ended = true
        return
      end
    end
  end
end

-- Returns the positions of the first and the last byte of each string value of the top-level key "model". A key can
-- occur twice, and parsers differ in which one counts. nil: not a JSON object, or an incomplete one; then also a reason
-- if the body was not searched to its end, or cannot be read here. A byte order mark may precede the object.
function model_spans(body)
  local length = body:length()
  local text = body:getBytes(0, math.min(WINDOW, length))
  if is_encoded(text) then return nil, UNREADABLE end
  local at = text:find("[^%s\239\187\191]")
  if at == nil then return nil, length > WINDOW and TOO_COMPLEX or nil end
  if text:byte(at) ~= 123 then return nil end
  local scan = { tokens = 0, depth = 0, in_string = false, odd = false, is_value = false, ended = false, spans = {} }
  for from = 0, length - 1, WINDOW do
    if from > 0 then text, at = body:getBytes(from, math.min(WINDOW, length - from)), 1 end
    scan_window(scan, body, from, text, at)
    if scan.ended then return scan.spans end
    if scan.tokens > MAX_TOKENS then return nil, TOO_COMPLEX end
  end
  return nil
end

-- Puts `value`, or the third item of a span, in place of each span, and returns the new length of the body. Small
-- pieces are faster to join than a few long ones.
local function splice(body, spans, value)
  local pieces, length, copied = {}, body:length(), 0
  local function take(to)
    for at = copied, to - 1, WINDOW do pieces[#pieces + 1] = body:getBytes(at, math.min(WINDOW, to - at)) end
  end
  for _, span in ipairs(spans) do
    take(span[1] - 1)
    pieces[#pieces + 1] = span[3] or value
    copied = span[2]
  end
  take(length)
  return body:setBytes(table.concat(pieces))
end

-- Returns the spans that read_request.lua has found in this body, or nil if it has not read the body, and then a reason
-- if it could not. `facts`: what it has published, or nil.
local function known_spans(body, facts)
  if facts == nil or facts.read == "ambiguous" then return nil end -- both models are replaced
  if facts.read ~= "yes" then return nil, facts.read ~= "upload" and facts.read or nil end
  if tonumber(facts.bytes) ~= body:length() then return nil end
  local spans = {}
  for first, last in facts.spans:gmatch("(%d+)-(%d+)") do spans[#spans + 1] = { tonumber(first), tonumber(last) } end
  return spans
end

-- Returns the length of the body after its model has been replaced, and a reason if it had to stay although the body
-- may name one. `model`: a JSON string, or nil if the backend has no name of its own for the model. `facts`: see
-- known_spans.
function renamed(body, model, facts)
  local length = body:length()
  if model == nil then return length end
  if length > MAX_RENAMED then return length, TOO_LONG end
  local spans, reason = known_spans(body, facts)
  if spans == nil and reason == nil then spans, reason = model_spans(body) end
  if spans == nil then return length, reason end
  return #spans > 0 and splice(body, spans, model) or length
end

-- Takes out of a JSON body what only the server that has made it may accept: reasoning that it has signed or encrypted,
-- and its ids of tool calls, which become ids that every server accepts. Uses the tokens of json_tokens.lua and their
-- bounds.

local ANY_SIGNATURE = '"skip_thought_signature_validator"' -- what Gemini accepts in place of a signature
local DEEPEST = 7 -- containers whose keys are read
local MOST_EDITS = 5000
local LONGEST_KIND, LONGEST_ID = 40, 512 -- bytes of a type and of an id
local LONGEST_SPACE = 1024 -- bytes between two tokens
local LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

local TURNS = { messages = true, input = true, contents = true }
-- Members of a message that hold reasoning.
local REASONING = { reasoning = true, reasoning_content = true, reasoning_details = true, thinking_blocks = true }
local THINKING = { thinking = true, redacted_thinking = true } -- types of a part of Anthropic's
local SIGNATURES = { thoughtSignature = true, thought_signature = true }
local TOOL_IDS = { tool_call_id = true, call_id = true, toolUseId = true }
local KEYS = { id = true, type = true, tool_use_id = true }
for _, names in ipairs({ REASONING, SIGNATURES, TOOL_IDS }) do
  for name in pairs(names) do KEYS[name] = true end
end

-- Returns an id of nine letters and digits, which Mistral, Anthropic and OpenAI accept; always the same one for the
-- same id.
local function short_id(text)
  if text:find("^%w%w%w%w%w%w%w%w%w$") then return text end
  local a, b = -2128831035, 1540483477
  for at = 1, #text do
    local byte = text:byte(at)
    a = bit.tobit(bit.bxor(a, byte) * 0x0193)
    b = bit.tobit(bit.bxor(bit.rol(b, 5), byte) + 0x9e3779)
  end
  a, b = a % 4294967296, bit.bxor(b, #text) % 4294967296
  local letters = {}
  for at = 1, 9 do
    a, b = b, a
    letters[at] = LETTERS:sub(a % 36 + 1, a % 36 + 1)
    a = math.floor(a / 36)
  end
  return table.concat(letters)
end

local function edit(scan, first, last, value, owner)
  if #scan.edits >= MOST_EDITS then scan.tokens = MAX_TOKENS + 1 end
  scan.edits[#scan.edits + 1] = { first, last, value, owner = owner }
end

local function rewrite_id(scan, span)
  local first, last = span[1], span[2]
  if last - first < 2 or last - first > LONGEST_ID then return end
  local text = piece(scan, first + 1, last - 1)
  scan.tokens = scan.tokens + #text * PER_HASHED
  local short = short_id(text)
  if short ~= text then edit(scan, first + 1, last - 1, short) end
end

-- Removes a member or an element with all that is in it. `owner`: where the object or list begins that has it.
-- Neighbours become one span, so that one comma too many is found at its end.
local function remove(scan, owner, first, last)
  local edits = scan.edits
  while #edits > 0 and edits[#edits][1] > first and edits[#edits][2] <= last do edits[#edits] = nil end
  local before = edits[#edits]
  if before ~= nil and before.owner == owner and first - before[2] - 1 <= LONGEST_SPACE then
    if piece(scan, before[2] + 1, first - 1):find("^%s*,%s*$") then
      before[2] = last
      return
    end
  end
  edit(scan, first, last, "", owner)
end

-- Takes the string that is the value of the key `name` in the object at this depth.
local function take_value(scan, name, first, last)
  local depth, top, span = scan.depth, scan.name[2], { first, last }
  local object = scan.object[depth]
  if depth < 3 or not TURNS[top] then return end
  if name == "type" then
    if last - first <= LONGEST_KIND then object.kind = piece(scan, first + 1, last - 1) end
  elseif SIGNATURES[name] then
    if depth > 4 then edit(scan, first, last, ANY_SIGNATURE) end
  elseif TOOL_IDS[name] then
    rewrite_id(scan, span)
  elseif name == "tool_use_id" then
    object.result_id = span
  elseif name == "id" then
    object.id = span
    object.id_first = scan.key_first[depth]
  elseif depth == 3 and top == "messages" then -- one of REASONING
    remove(scan, scan.opened[depth], scan.key_first[depth], last)
  end
end

local function close_item(scan, object, at)
  local list, first = scan.opened[2], scan.opened[3]
  if object.kind == "reasoning" then return remove(scan, list, first, at) end
  if object.id ~= nil and object.kind ~= "item_reference" then remove(scan, first, object.id_first, object.id[2]) end
end

local function close_message(scan, object, at)
  scan.after_tool = object.has_result
  if object.emptied == nil then return end
  if object.has_calls then return edit(scan, object.emptied[1], object.emptied[2], "null") end
  remove(scan, scan.opened[2], scan.opened[3], at)
end

local function close_part(scan, object, at)
  local kind = object.kind
  if THINKING[kind] or object.has_reasoning then
    scan.removed[4] = scan.removed[4] + 1
    scan.has_thought = true
    return remove(scan, scan.opened[4], scan.opened[5], at)
  end
  if kind == "tool_use" and object.id ~= nil then rewrite_id(scan, object.id) end
  if kind == "tool_result" then
    if object.result_id ~= nil then rewrite_id(scan, object.result_id) end
    scan.object[3].has_result = true
  end
end

-- Takes the end of an object or a list.
local function take_end(scan, at)
  local depth, top = scan.depth, scan.name[2]
  local name, object, of_member = scan.name[depth], scan.object[depth], scan.member_first[depth]
  if depth == 2 and name == "thinking" and not scan.list[2] then scan.thinking = { of_member, at } end
  if depth < 3 or not TURNS[top] then return end
  local in_messages = top == "messages"
  if depth == 3 and not scan.list[3] and scan.list[2] then
    if top == "input" then close_item(scan, object, at) else close_message(scan, object, at) end
  elseif depth == 4 and in_messages and REASONING[name] then
    remove(scan, scan.opened[3], of_member, at)
  elseif depth == 4 and scan.list[4] then
    local all = scan.removed[4] > 0 and scan.removed[4] == scan.elements[4]
    if all then scan.object[3].emptied = { scan.opened[4], at } end
    if name == "tool_calls" then scan.object[3].has_calls = true end
  elseif depth == 5 and not scan.list[5] and in_messages then
    if scan.name[4] == "content" then close_part(scan, object, at) end
    if scan.name[4] == "tool_calls" and object.id ~= nil then rewrite_id(scan, object.id) end
  elseif depth == 6 and name == "reasoningContent" then
    scan.object[5].has_reasoning = true
  end
end

-- Whether the token at `at` begins the value of the last key of the object at this depth.
local function begins_value(scan, at)
  local key_end = scan.key_end[scan.depth]
  scan.key_end[scan.depth] = nil
  if key_end == nil then return false end
  if at - key_end - 1 > LONGEST_SPACE then
    scan.tokens = MAX_TOKENS + 1
    return false
  end
  if at - key_end > SHORT_GAP then scan.tokens = scan.tokens + (at - key_end) * PER_MATCHED end
  return at - key_end == 2 or piece(scan, key_end + 1, at - 1):find("^%s*:%s*$") ~= nil
end

local function take_string_end(scan, last)
  local depth, first = scan.depth, scan.start
  if depth == 0 or depth > DEEPEST then return end
  if scan.list[depth] then
    scan.elements[depth] = scan.elements[depth] + 1
  elseif scan.is_value then
    scan.is_value = false
    local name = scan.key[depth]
    if KEYS[name] then take_value(scan, name, first, last) end
  else
    local name = last - first <= LONGEST_KIND and piece(scan, first + 1, last - 1) or ""
    if name:find("\\u", 1, true) then name = unescaped_ascii(name) end
    scan.key[depth], scan.key_first[depth], scan.key_end[depth] = name, first, last
  end
end

local function take_begin(scan, at, is_list)
  local depth, name, first = scan.depth, "", nil
  if depth > 0 and depth <= DEEPEST then
    if scan.list[depth] then
      scan.elements[depth] = scan.elements[depth] + 1
    elseif begins_value(scan, at) then
      name, first = scan.key[depth], scan.key_first[depth]
    end
  end
  depth = depth + 1
  scan.depth = depth
  if depth > DEEPEST then return end
  scan.name[depth], scan.list[depth], scan.opened[depth], scan.member_first[depth] = name, is_list, at, first
  scan.object[depth], scan.elements[depth], scan.removed[depth], scan.key_end[depth] = {}, 0, 0, nil
end

local function take_piece_of_body(scan, text, at)
  local seen = { quote = 0, open = 0, close = 0, list = 0, list_end = 0 }
  local from = scan.from
  while scan.tokens <= MAX_TOKENS do
    if scan.in_string then
      local quote = string_end(scan, text, at)
      if quote == nil then return end
      scan.in_string, at = false, quote + 1
      take_string_end(scan, from + quote)
    end
    local found, byte = next_token(text, at, seen)
    if found == nil then return end
    scan.tokens, at = scan.tokens + 1, found + 1
    if byte == 34 then
      scan.start, scan.in_string = from + found, true
      local depth = scan.depth
      if depth > 0 and depth <= DEEPEST and not scan.list[depth] then scan.is_value = begins_value(scan, scan.start) end
    elseif byte == 123 or byte == 91 then
      take_begin(scan, from + found, byte == 91)
    else
      if scan.depth > 0 and scan.depth <= DEEPEST then take_end(scan, from + found) end
      scan.depth = scan.depth - 1
      if scan.depth <= 0 then
        scan.ended = true
        return
      end
    end
  end
end

-- Returns the bytes of the body from `first` on, or up to `last`: few of them, or LONGEST_SPACE if the few are white
-- space.
local function around(scan, first, last)
  local text
  for _, most in ipairs({ SHORT_GAP, LONGEST_SPACE }) do
    local from = first or math.max(last - most + 1, 1)
    local count = math.min(last and last - from + 1 or most, scan.body:length() - from + 1)
    text = scan.body:getBytes(from - 1, count)
    if text:find("%S") then return text end
    scan.tokens = scan.tokens + LONGEST_SPACE * PER_MATCHED
  end
  return text
end

-- Adds the comma after a span that is removed, or the one before it if it is the last of its list or object.
local function with_comma(scan, span)
  local after = around(scan, span[2] + 1):match("^%s*,")
  if after ~= nil then
    span[2] = span[2] + #after
    return
  end
  local before = around(scan, nil, span[1] - 1):match(",%s*$")
  if before ~= nil then span[1] = span[1] - #before end
end

-- Returns the edits in their order, without those inside another one.
local function in_order(scan)
  local edits = scan.edits
  table.sort(edits, function(one, other)
    return one[1] < other[1] or (one[1] == other[1] and one[2] > other[2])
  end)
  local kept, last = {}, 0
  for _, span in ipairs(edits) do
    if span[1] > last then
      kept[#kept + 1], last = span, span[2]
    end
  end
  for _, span in ipairs(kept) do
    if span.owner ~= nil and scan.tokens <= MAX_TOKENS then with_comma(scan, span) end
  end
  return kept
end

-- Returns the spans of a body to replace, each { first, last, value }, in their order; nil and a reason if it cannot be
-- read.
local function foreign_spans(body)
  local length = body:length()
  local text = body:getBytes(0, math.min(WINDOW, length))
  if is_encoded(text) then return nil, UNREADABLE end
  local at = text:find("[^%s\239\187\191]")
  if at == nil or text:byte(at) ~= 123 then return {} end
  local scan = {
    body = body, text = text, from = 0, tokens = 0, depth = 0, in_string = false, odd = false, is_value = false,
    name = {}, list = {}, opened = {}, member_first = {}, object = {}, elements = {}, removed = {}, key = {},
    key_first = {}, key_end = {}, edits = {},
  }
  for from = 0, length - 1, WINDOW do
    if from > 0 then text, at = body:getBytes(from, math.min(WINDOW, length - from)), 1 end
    scan.from, scan.text = from, text
    take_piece_of_body(scan, text, at)
    if scan.ended then break end
    if scan.tokens > MAX_TOKENS then return nil, TOO_COMPLEX end
  end
  if not scan.ended or scan.tokens > MAX_TOKENS then return {} end
  -- Without the thoughts before a tool call, Anthropic accepts its result only if thinking is off.
  if scan.has_thought and scan.after_tool and scan.thinking ~= nil then
    edit(scan, scan.thinking[1], scan.thinking[2], "", 0)
  end
  local spans = in_order(scan)
  if scan.tokens > MAX_TOKENS then return nil, TOO_COMPLEX end
  return spans
end

-- Takes out of the body what another server may have made. Returns whether anything was, and a reason if the body could
-- not be read.
function without_foreign(body)
  if body:length() > MAX_RENAMED then return false, TOO_LONG end
  local spans, reason = foreign_spans(body)
  if spans == nil then return false, reason end
  if #spans > 0 then splice(body, spans) end
  return #spans > 0
end

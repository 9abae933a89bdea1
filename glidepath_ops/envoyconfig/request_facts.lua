-- Reads the facts about a request from its JSON body in one pass, with the tokens of json_tokens.lua.
--
-- Defined above this text: STICKY_KEYS, the set of the keys of the body (name, or metadata.name) whose values are
-- sticky. server_state.lua finds the state of one server, sticky_digests.lua computes what keeps a user on one side.
--
-- A key is a string in an object before a colon. The names of keys that matter are in NAMES; all others are skipped.

local MAX_DEPTH = 10 -- of containers whose keys are read; deeper ones are skipped
local LONGEST_NAME, LONGEST_ESCAPED = 40, 130 -- bytes of a key, without and with escapes
local LONGEST_VALUE = 512 -- bytes of a value that is read
local MOST_MODELS = 16 -- times that a body may name its model
local MOST_MESSAGES = 8 -- messages until the first of the user's

local NAMES = {}
for _, name in ipairs({
  "model", "stream", "store", "background", "previous_response_id", "conversation", "container", "cachedContent",
  "cached_content", "metadata", "id", "messages", "input", "contents", "prompt", "inputs", "message", "text_input",
  "role", "content", "text", "parts", "type", "tools", "mcp_servers", "file_id", "fileUri", "file_uri", "images",
  "image", "document", "video", "audio", "inlineData", "inline_data", "mimeType", "mime_type", "googleSearch",
  "google_search", "codeExecution", "code_execution", "urlContext", "url_context", "modalities", "signature",
  "encrypted_content", "thoughtSignature", "functions", "toolConfig", "max_tokens", "max_completion_tokens",
  "max_output_tokens", "thought_signature", "tool_call_id", "tool_use_id", "call_id", "toolUseId", "reasoning",
  "reasoning_content", "reasoning_details", "thinking_blocks", "reasoningContent", "context", "conversation_id",
  "agent_id", "deferred", "vector_store_ids", "file_ids", "previous_interaction_id", "skill_id", "fileSearch",
  "file_search", "retrieval", "arguments", "args", "s3Location", "preset", "chat_history", "url", "data", "file_data",
  "image_url", "environment", "container_id", "input_image_mask", "skills", "file_url", "document_url", "input_audio",
  "bytes", "keep_alive",
}) do NAMES[name] = name end
for name in pairs(STICKY_KEYS) do
  local last = name:match("^metadata%.(.*)$") or name
  NAMES[last] = last
end

local PROMPTS = { input = true, prompt = true, inputs = true, message = true, text_input = true, text = true }
local LISTS = { messages = true, input = true, contents = true, chat_history = true }
local TEXTS = { content = true, text = true, message = true } -- of a turn
local PICTURES = { -- and other files in a turn
  url = true, data = true, file_data = true, image_url = true, file_url = true, document_url = true,
  input_audio = true, bytes = true,
}
local OF_USERS = { user = true, human = true } -- roles, in small letters
local HOSTED_KEYS = {
  googleSearch = true, google_search = true, codeExecution = true, code_execution = true, urlContext = true,
  url_context = true, fileSearch = true, file_search = true, retrieval = true,
}
local CLIENT_TOOLS = { ["function"] = true, custom = true, local_shell = true, apply_patch = true }
local CLIENT_TOOL_PREFIXES = { "bash_", "text_editor", "computer", "memory_" } -- Anthropic's, which the client runs
local MODALITIES = {
  image = "image", image_url = "image", input_image = "image", input_audio = "audio", audio = "audio", video = "video",
  video_url = "video", input_file = "file", file = "file", document = "file",
}
local SIGNED = { signature = true, encrypted_content = true, thoughtSignature = true, thought_signature = true }
-- Members of a turn that a server has made: ids of its tool calls, and its reasoning (and the ids of a response's
-- items).
local MADE = {
  tool_call_id = true, tool_use_id = true, call_id = true, toolUseId = true, reasoning = true, reasoning_content = true,
  reasoning_details = true, thinking_blocks = true, reasoningContent = true,
}
local LIMITS = { max_tokens = true, max_completion_tokens = true, max_output_tokens = true }

-- Returns the name that a string from the quote `first` to the quote `last` is, or false if it is none that matters.
local function name_of(scan, first, last)
  local length = last - first - 1
  if length > LONGEST_ESCAPED then return false end
  scan.tokens = scan.tokens + 0.5
  local raw = piece(scan, first + 1, last - 1)
  local name = NAMES[raw]
  if name ~= nil then return name end
  if raw:find("\\u", 1, true) == nil then return false end
  return NAMES[unescaped_ascii(raw)] or false
end

local function take_made(scan, name)
  if MADE[name] and scan.in_messages and scan.depth > 2 then scan.facts.foreign = true end
end

local function add_modality(scan, name)
  if name ~= nil then scan.facts.modalities[name] = true end
end

local function take_model(scan, first, last)
  local facts = scan.facts
  scan.tokens = scan.tokens + PER_READ
  if #facts.spans == MOST_MODELS then facts.ambiguous = true end
  if facts.ambiguous then return end
  facts.spans[#facts.spans + 1] = { first, last }
  local is_long = last - first > LONGEST_VALUE
  local value = is_long and "" or unescaped_ascii(piece(scan, first + 1, last - 1)):gsub("\\/", "/")
  if facts.model ~= nil and facts.model ~= value then facts.ambiguous = true end
  facts.model = value
  take_model_state(scan, value)
end

local function is_hosted(kind)
  if CLIENT_TOOLS[kind] then return false end
  for _, prefix in ipairs(CLIENT_TOOL_PREFIXES) do
    if kind:sub(1, #prefix) == prefix then return false end
  end
  return true
end

-- Takes the string that is the value of the key `name` in an object at depth 1.
local function take_member(scan, name, first, last)
  if name == "model" then return take_model(scan, first, last) end
  local is_empty = last - first == 1
  if NEEDS[name] and not is_empty then needs_state(scan, name) end
  if name == "keep_alive" and last - first <= LONGEST_NAME then
    take_keep_alive(scan, piece(scan, first + 1, last - 1))
  end
  if name == "message" and not is_empty then
    scan.message = { first, last } -- of Cohere: the turn after those of chat_history
  elseif PROMPTS[name] and not is_empty and not scan.decided then
    add_text(scan, first, last)
    scan.decided = scan.decided or name ~= "text_input"
  end
  if STICKY_KEYS[name] and last - first <= LONGEST_VALUE then
    add_sticky(scan, name, piece(scan, first + 1, last - 1))
  end
end

-- Takes the string that is the value of the key `name` in a deeper object.
local function take_inner(scan, name, first, last)
  local depth, top = scan.depth, scan.names[2]
  take_made(scan, name)
  if top ~= "metadata" and last - first > 1 then take_inner_state(scan, name) end
  if name == "type" and last - first <= LONGEST_NAME then
    local kind = piece(scan, first + 1, last - 1)
    if top == "tools" then
      if depth == 3 and is_hosted(kind) then scan.facts.hosted = true end
    elseif kind == "item_reference" then needs_state(scan, kind)
    elseif kind == "redacted_thinking" then scan.facts.signed = true
    elseif kind == "reasoning" or kind == "thinking" then scan.facts.foreign = true
    else add_modality(scan, MODALITIES[kind]) end
  elseif top == "metadata" then
    if last - first <= LONGEST_VALUE then add_sticky(scan, "metadata." .. name, piece(scan, first + 1, last - 1)) end
  elseif name == "id" and top == "input" and depth == 3 then
    scan.facts.foreign = true
  elseif SIGNED[name] and top ~= "tools" and not in_arguments(scan) then
    if last - first > 1 then scan.facts.signed = true end
  elseif name == "mimeType" or name == "mime_type" then
    local kind = piece(scan, first + 1, math.min(first + 11, last - 1)):match("^%a+")
    add_modality(scan, MODALITIES[kind] or "file")
  end
  if not scan.in_messages or scan.decided then return end
  if name == "role" and depth == 3 then
    scan.role = last - first <= LONGEST_NAME and piece(scan, first + 1, last - 1) or ""
  elseif TEXTS[name] then
    add_text(scan, first, last)
  elseif PICTURES[name] then
    add_picture(scan, first, last)
  end
end

-- Takes true, false, null or a number, which is the value of the key `name` in the object at depth 1.
local function take_literal(scan, name, text)
  local facts = scan.facts
  if name == "stream" then
    if text ~= "null" then facts.stream = text == "true" end
  elseif name == "store" then
    if text ~= "null" then facts.store = text == "true" end
  elseif name == "background" or name == "deferred" then facts.background = facts.background or text == "true"
  elseif NEEDS[name] and text:find("^%d") then needs_state(scan, name)
  elseif name == "keep_alive" then take_keep_alive(scan, text)
  elseif LIMITS[name] then facts.max_tokens = text:match("^%d+$")
  elseif STICKY_KEYS[name] and text ~= "null" then add_sticky(scan, name, text) end
end

-- Returns what follows the last key of the object at this depth up to the token at `at`: "value" if the token begins
-- its value, else "literal"; nil if there is no key. A literal of an object at depth 1 is taken.
local function after_key(scan, at)
  local depth = scan.depth
  local key_end = scan.key_end[depth]
  if key_end == nil then return nil end
  scan.key_end[depth] = nil
  local length = at - key_end - 1
  if length == 1 then return "value" end
  if length > LONGEST_GAP then
    scan.tokens = MAX_TOKENS + 1
    return nil
  end
  if length > SHORT_GAP then scan.tokens = scan.tokens + length * PER_MATCHED end
  local gap = piece(scan, key_end + 1, at - 1)
  if gap:find("^%s*:%s*$") then return "value" end
  local name = scan.key[depth]
  if name and depth == 1 then
    scan.tokens = scan.tokens + 2 * length * PER_MATCHED
    local text = gap:match("^%s*:%s*([%w.+-]+)%s*,?%s*$")
    if text ~= nil then take_literal(scan, name, text) end
  end
  return "literal"
end

-- Takes a string that has ended.
local function take_text(scan, last)
  local depth, first = scan.depth, scan.start
  if depth > MAX_DEPTH or depth == 0 then return end
  if scan.is_value then
    scan.is_value = false
    local name = scan.key[depth]
    if not name then return end
    if depth == 1 then take_member(scan, name, first, last) else take_inner(scan, name, first, last) end
  elseif scan.lists[depth] then
    local name = scan.names[depth]
    if last - first > 1 then take_listed_state(scan, name) end
    if name == "modalities" and last - first <= LONGEST_NAME then
      add_modality(scan, MODALITIES[piece(scan, first + 1, last - 1)])
    elseif name == "images" and (depth == 2 or scan.in_messages and not scan.decided) then
      add_picture(scan, first, last)
    elseif depth == 2 and PROMPTS[name] and not scan.decided then
      add_text(scan, first, last)
    end
  else
    scan.key[depth], scan.key_end[depth] = name_of(scan, first, last), last
  end
end

local function open(scan, at, is_list)
  local depth = scan.depth
  scan.tokens = scan.tokens + 0.5
  local name = ""
  if depth > 0 and depth <= MAX_DEPTH then
    if scan.lists[depth] then
      if depth == 2 and scan.in_messages then scan.messages, scan.role = scan.messages + 1, nil end
      if depth == 2 and (scan.names[2] == "tools" or scan.names[2] == "functions") then scan.facts.tools = true end
    elseif after_key(scan, at) == "value" then
      name = scan.key[depth] or ""
    end
  end
  depth = depth + 1
  scan.depth = depth
  if depth > MAX_DEPTH then return end
  scan.names[depth], scan.lists[depth], scan.key_end[depth] = name, is_list, nil
  if name == "" then return end
  take_made(scan, name)
  if depth == 2 and is_list and LISTS[name] then scan.in_messages = true end
  if depth == 2 and name == "mcp_servers" then scan.facts.hosted = true end
  open_state(scan, name, at, is_list)
  if depth == 4 and scan.names[2] == "tools" and HOSTED_KEYS[name] then scan.facts.hosted = true end
  if depth == 2 and name == "audio" then add_modality(scan, "audio") end -- of the answer
  if name == "images" and is_list then add_modality(scan, "image") end
  if depth > 4 and scan.names[2] ~= "tools" and not is_list and name ~= "audio" and name ~= "image_url" then
    add_modality(scan, MODALITIES[name])
  end
end

local function close(scan, at)
  local depth = scan.depth
  if depth > 0 and depth <= MAX_DEPTH and not scan.lists[depth] then after_key(scan, at) end
  scan.depth = depth - 1
  if depth == 2 then
    close_state(scan, at)
    scan.in_messages = false
  end
  if depth ~= 3 or not scan.in_messages or scan.decided then return end
  local role = scan.role
  local is_first = role == nil or OF_USERS[role:lower()] or scan.messages >= MOST_MESSAGES
  if is_first and scan.hash.bytes > 0 then scan.decided = true end
end

local function take_window(scan, text, at)
  local seen = { quote = 0, open = 0, close = 0, list = 0, list_end = 0 }
  local from = scan.from
  while scan.tokens <= MAX_TOKENS do
    if scan.in_string then
      local quote = string_end(scan, text, at)
      if quote == nil then return end
      scan.in_string, at = false, quote + 1
      take_text(scan, from + quote)
    end
    local found, byte = next_token(text, at, seen)
    if found == nil then return end
    scan.tokens, at = scan.tokens + 1, found + 1
    if byte == 34 then
      scan.start, scan.in_string = from + found, true
      local depth = scan.depth
      if depth <= MAX_DEPTH and not scan.lists[depth] then scan.is_value = after_key(scan, scan.start) == "value" end
    elseif byte == 123 or byte == 91 then
      open(scan, from + found, byte == 91)
    else
      close(scan, from + found)
      if scan.depth <= 0 then
        scan.ended = true
        return
      end
    end
  end
end

local function new_facts()
  return { spans = {}, keys = {}, modalities = {} }
end

-- Returns the facts about a body, or nil and a reason if it could not be read to its end. A body that is no JSON object
-- has no facts. A byte order mark may precede the object.
function request_facts(body)
  local length = body:length()
  local text = body:getBytes(0, math.min(WINDOW, length))
  if is_encoded(text) then return nil, UNREADABLE end
  local at = text:find("[^%s\239\187\191]")
  if at == nil then
    if length > WINDOW then return nil, TOO_COMPLEX end
    return new_facts()
  end
  if text:byte(at) ~= 123 then return new_facts() end
  local scan = {
    body = body, text = text, from = 0, tokens = 0, depth = 0, in_string = false, odd = false, is_value = false,
    names = {}, lists = {}, key = {}, key_end = {}, messages = 0, facts = new_facts(), hash = new_hash(),
  }
  for from = 0, length - 1, WINDOW do
    if from > 0 then text, at = body:getBytes(from, math.min(WINDOW, length - from)), 1 end
    scan.from, scan.text = from, text
    take_window(scan, text, at)
    if scan.ended then break end
    if scan.tokens > MAX_TOKENS then return nil, TOO_COMPLEX end
  end
  if not scan.ended then return new_facts() end
  local facts = scan.facts
  if facts.ambiguous then return nil, "ambiguous" end
  if scan.message ~= nil and not scan.decided then add_text(scan, scan.message[1], scan.message[2]) end
  take_end(scan)
  if scan.hash.bytes > 0 then facts.conversation = digest(scan.hash) end
  return facts
end

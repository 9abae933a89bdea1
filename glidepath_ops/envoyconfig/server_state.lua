-- Finds what only one server has in a request: an earlier response, a conversation, files, a vector store, and so on.
--
-- request_facts.lua calls these functions while it reads a body. scan.facts.needs gets the first reason that is found.

-- Strings or numbers at depth 1 whose presence, not empty, means that the request needs state of the server.
local NEEDS = {
  previous_response_id = true, conversation = true, container = true, cachedContent = true, cached_content = true,
  conversation_id = true, agent_id = true, previous_interaction_id = true, preset = true,
}
local NEEDS_BY_ID = { conversation = true, prompt = true, container = true } -- objects at depth 2 with an id
local FILES = { file_id = true, fileUri = true, file_uri = true } -- files that the client has uploaded before
-- Tools of Gemini that search in what one server keeps.
local STORES = { fileSearch = true, file_search = true, retrieval = true }

local LONGEST_GAP = 1024 -- bytes between a key and the next token

-- The application's own data: the arguments of a tool call, in the APIs of OpenAI, Gemini, Anthropic and Bedrock.
local ARGUMENTS = { arguments = true, args = true, input = true }

local function needs_state(scan, why)
  local known = scan.facts.needs
  if known == nil or known == "context" then scan.facts.needs = why end -- a context may be of either side
end

local function in_arguments(scan)
  for depth = 3, scan.depth do
    if ARGUMENTS[scan.names[depth]] then return true end
  end
  return false
end

-- Returns whether a member belongs to the environment of OpenAI's tool `shell`.
local function in_environment(scan)
  return scan.depth >= 4 and scan.names[2] == "tools" and scan.names[4] == "environment"
end

-- Takes the name of the model, which may name a preset of OpenRouter: a system prompt and parameters.
local function take_model_state(scan, model)
  if model:find("@preset/", 1, true) then needs_state(scan, "preset") end
end

-- Takes Ollama's `keep_alive`, without quotes. A duration of zero lets the server unload the model afterwards.
local function take_keep_alive(scan, text)
  scan.unloads = text:find("0", 1, true) ~= nil and text:find("[1-9]") == nil -- such as 0, 0s or 0m0s
end

-- Takes the end of the body. A request that only unloads a model changes the server, as Ollama's `pull` does.
local function take_end(scan)
  if scan.unloads and scan.messages == 0 and scan.hash.bytes == 0 then needs_state(scan, "unload") end
end

-- Takes the string, not empty, that is the value of the key `name` in an object below depth 1.
local function take_inner_state(scan, name)
  local depth, top = scan.depth, scan.names[2]
  if name == "id" then
    if NEEDS_BY_ID[top] and depth == 2 then needs_state(scan, top) end
    if top == "messages" and depth == 4 and scan.names[4] == "audio" then needs_state(scan, "audio") end
  elseif name == "skill_id" then
    if top == "container" or in_environment(scan) then needs_state(scan, "container") end
  elseif name == "container_id" then
    if in_environment(scan) then needs_state(scan, "container") end
  elseif name == "file_id" and top == "tools" then
    if scan.names[depth] == "input_image_mask" then needs_state(scan, "file") end
  elseif name == "container" then
    if top == "tools" and depth == 3 then needs_state(scan, name) end
  elseif FILES[name] and top ~= "tools" and not in_arguments(scan) then
    needs_state(scan, "file")
  end
end

-- Takes a string, not empty, in a list that is the value of the key `name`.
local function take_listed_state(scan, name)
  local depth, in_tools = scan.depth, scan.names[2] == "tools"
  if name == "vector_store_ids" and (depth == 2 or depth == 4 and in_tools) then needs_state(scan, "vector_store") end
  local is_place = scan.names[4] == "container" or scan.names[4] == "environment" -- of a tool
  if name == "file_ids" and depth == 5 and in_tools and is_place then needs_state(scan, "file") end
end

-- Takes the beginning of an object or a list that is the value of the key `name`.
local function open_state(scan, name, at, is_list)
  if scan.depth == 2 and name == "context" and is_list then scan.context = at end
  if scan.depth == 4 and scan.names[2] == "tools" and STORES[name] then needs_state(scan, "vector_store") end
  if name == "s3Location" and scan.names[2] ~= "tools" and not in_arguments(scan) then needs_state(scan, "file") end
end

-- Takes the end of an object or a list at depth 2. The `context` of Ollama is a conversation as numbers of tokens,
-- which only the model that made them can read.
local function close_state(scan, at)
  local from = scan.context
  scan.context = nil
  if from == nil then return end
  if piece(scan, from + 1, math.min(from + LONGEST_GAP, at - 1)):find("^%s*%d") then
    scan.facts.needs = scan.facts.needs or "context"
  end
end

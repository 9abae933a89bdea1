-- Reads each request of a route once, publishes its facts as dynamic metadata, and lets Envoy choose the route again.
-- Runs in the HTTP filter chain, on routes that name it only. docs/architecture.md lists the facts.
--
-- Defined above this text: STICKY (name of a request header → the key of the body whose value it gets, "" for none: the
-- conversation), MAX_BODY (bytes; a longer body is not read), REFUSALS (the statuses with which a backend refuses
-- reasoning or ids of another server), STREAMED, STREAMED_BY_DEFAULT and STORED (ends of paths, see
-- glidepath/call_classes.py; the answers of STORED are stored unless the body says otherwise).

local FACTS = "glidepath.request"

-- Returns why a body cannot be read although it is there, or nil.
local function unreadable_by_headers(headers)
  local coding = (headers:get("content-encoding") or ""):lower()
  if coding ~= "" and coding ~= "identity" then return "compressed" end
  local length = tonumber(headers:get("content-length") or "")
  if length ~= nil and length > MAX_BODY then return "too_long" end
  return nil
end

local function asks_for_stream(facts, path)
  if facts.stream or ends_with(bare_path(path), STREAMED) then return true end
  return facts.stream == nil and ends_with(bare_path(path), STREAMED_BY_DEFAULT)
end

-- Returns whether the request needs state of the server, makes some, continues a conversation in tokens (Ollama's
-- `context`), or none of these, and why.
local function state_of(facts, path)
  if facts.needs == "context" then return "context", "context" end
  if facts.needs ~= nil then return "needs", facts.needs end
  if facts.background then return "makes", "background" end
  local stored = facts.store
  if stored == nil then stored = ends_with(bare_path(path), STORED) end
  if stored then return "makes", "store" end
  return "none", ""
end

local function joined(set)
  local found = {}
  for name in pairs(set) do found[#found + 1] = name end
  table.sort(found)
  return table.concat(found, ",")
end

local function spans_of(facts)
  local found = {}
  for at, span in ipairs(facts.spans) do found[at] = span[1] .. "-" .. span[2] end
  return table.concat(found, ",")
end

-- Gives the request one value of each sticky header, or none. A client cannot give it one.
local function put_sticky(headers, facts)
  for name, key in pairs(STICKY) do
    local value = facts ~= nil and (facts.keys[key] or facts.conversation) or nil
    if value ~= nil then headers:replace(name, value) else headers:remove(name) end
  end
end

-- Lets Envoy ask the same backend once more if it refuses what another server may have made: then without it.
local function ask_again(headers)
  headers:replace("x-envoy-retry-on", "retriable-status-codes")
  headers:replace("x-envoy-retriable-status-codes", REFUSALS)
end

local function publish(handle, values)
  local metadata = handle:streamInfo():dynamicMetadata()
  for key, value in pairs(values) do metadata:set(FACTS, key, value) end
end

local function published(facts, path, length)
  local state, why = state_of(facts, path)
  return {
    read = "yes", model = facts.model or "", spans = spans_of(facts),
    stream = asks_for_stream(facts, path) and "true" or "false",
    state = state, why = why, tools = facts.hosted and "hosted" or (facts.tools and "client" or "none"),
    modalities = joined(facts.modalities), signed = facts.signed and "true" or "false",
    foreign = (facts.foreign or facts.signed) and "true" or "false",
    max_tokens = facts.max_tokens or "", bytes = tostring(length),
  }
end

local function unread(reason)
  return { read = reason, state = "unread", why = reason }
end

-- Returns the facts about a request whose body is not read because of what it is. No gRPC server has the path of a call
-- that takes JSON only: such a body may be JSON that asks for state.
local function not_held(kind, path)
  if is_grpc(kind) and takes_json_only(path) then return unread("unreadable") end
  local values = published({ spans = {}, keys = {}, modalities = {} }, "", 0)
  values.read = is_grpc(kind) and "grpc" or "upload"
  return values
end

-- Returns the facts to publish, and what the sticky headers are made of.
local function read(handle)
  local headers = handle:headers()
  local reason = unreadable_by_headers(headers)
  if reason ~= nil then return unread(reason) end
  local path, kind = headers:get(":path") or "", headers:get("content-type") or ""
  if is_upload(kind, path) then return not_held(kind, path) end
  local body = handle:body() -- yields: objects fetched from the handle before are invalid afterwards
  if body == nil then return published({ spans = {}, keys = {}, modalities = {} }, path, 0) end
  local facts, why = request_facts(body)
  if facts == nil then return unread(why) end
  return published(facts, path, body:length()), facts
end

function envoy_on_request(handle)
  local values, facts = read(handle)
  local route = handle:metadata():get("reads")
  if route ~= nil then values.route = route end
  publish(handle, values)
  put_sticky(handle:headers(), facts)
  if values.foreign == "true" and handle:metadata():get("asks_again") then ask_again(handle:headers()) end
  handle:clearRouteCache()
end

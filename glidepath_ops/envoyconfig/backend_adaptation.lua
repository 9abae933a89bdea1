-- Adapts a request to the backend of the current attempt: model, path, host, headers and credentials. Runs as an
-- upstream filter, once per attempt.
--
-- Envoy keeps the header changes of attempt 1 for attempt 2, but starts again from the client's body. So every attempt
-- sets every header that can differ, from the client's values (filter state glidepath.client.*) and from SIDES.
--
-- Defined above this text: SIDES (by backend name), DEFAULT (the side of an endpoint that names no backend), FALLBACK
-- (whether a second attempt is possible), NAMES (headers that can differ), CREDENTIALS (set of header names), RENAMES
-- (whether a side has its own model), SECRETS (set of query parameters that carry a credential), HARMLESS (query
-- parameters that never do: "word" if only a short word of at most MAX_VALUE characters, "any" if any value), PATHS
-- (whether a side's path or query differs), RETRIES (whether there can be a second attempt: FALLBACK, or a side with
-- `without` "refused"), PASSED and PASSED_PREFIXES (headers that pass to any side), ONLY_PASSED (whether a side has
-- `passed`, and so gets no others), REDIRECTS (whether a side has `origins`: the URLs that name it). A side with
-- `restore` gets what the route made of the request, without any change. A side with `without` gets no reasoning of
-- another server: "always", or after it has "refused" the request.

local ORIGINAL_PATH = "x-envoy-original-path" -- Envoy writes it if the route rewrites the path

local function trim(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

-- Returns the backend's credential, or nil. Envoy writes "-" for an environment variable that is not set. A value with
-- a control character is rejected: a line break would end the header.
local function secret_value(state, name)
  local secret = trim(state:get(name) or "")
  if secret == "" or secret == "-" or secret:find("%c") then return nil end
  return secret
end

-- Without a second attempt, nothing is stored, and the header itself is the client's.
local function client_value(state, headers, name)
  local value = state:get("glidepath.client." .. name)
  if value ~= nil and value ~= "" then return value end
  if not FALLBACK then return headers:get(name) end
  return nil
end

-- Gives a header one value, or none. `get` joins the values of a header that has several.
local function put(headers, name, value)
  if headers:get(name) == value then return end
  if value == nil then headers:remove(name) else headers:replace(name, value) end
end

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- As glidepath/query_parameters.py: an escaped name is in no list.
local function is_harmless(parameter)
  local name, value = parameter:match("^([^=]*)=?(.*)$")
  local kind = HARMLESS[name:lower()]
  return kind == "any" or (kind == "word" and #value <= MAX_VALUE and value:find("^[%w._,:-]*$") ~= nil)
end

-- Removes whole parameters and does not change the bytes of the others. Envoy's own query mutations would decode them
-- and not escape them again. A candidate gets only the harmless ones.
local function without_secrets(path, harmless_only)
  local bare, query = path:match("^([^?]*)%?(.*)$")
  if query == nil then return path end
  local kept = {}
  for parameter in (query .. "&"):gmatch("([^&]*)&") do
    local keep = is_harmless(parameter)
    if not keep and not harmless_only then keep = not SECRETS[unescaped(parameter:match("^[^=]*")):lower()] end
    if keep then kept[#kept + 1] = parameter end
  end
  return #kept > 0 and bare .. "?" .. table.concat(kept, "&") or bare
end

-- Where a path names the model: what precedes it, and what follows it.
local MODELS_IN_PATHS = {
  "^(.*/openai/deployments/)[^/?]+(/.+)$", -- Azure OpenAI
  "^(.*/models/)[^/:?]+(:%a+)$", -- Gemini, Vertex AI, KServe's first version
  "^(.*/v1/models/)[^/:?]+(/%a+/[^/:?]+:predict)$", -- the same with a version or a label, as TensorFlow Serving has it
  "^(.*/model/)[^/?]+(/converse)$", "^(.*/model/)[^/?]+(/converse%-stream)$", -- Bedrock
  "^(.*/model/)[^/?]+(/invoke)$", "^(.*/model/)[^/?]+(/invoke%-with%-response%-stream)$",
  "^(.*/v2/models/)[^/?]+(/[%w/]*infer)$", "^(.*/v2/models/)[^/?]+(/[%w/]*generate)$", -- KServe
  "^(.*/v2/models/)[^/?]+(/[%w/]*generate_stream)$",
}

-- Replaces the model that a path names by that of the side. Gemini's tuned models have a collection of their own, in
-- which only the client's model is: the side's is among the other models.
local function rename_in_path(path, side)
  if side.path_model == nil then return path end
  local bare, query = path:match("^([^?]*)(.*)$")
  bare = bare:gsub("/tunedModels/([^/:?]+:%a+)$", "/models/%1")
  for _, form in ipairs(MODELS_IN_PATHS) do
    local before, after = bare:match(form)
    if before ~= nil then return before .. side.path_model .. after .. query end
  end
  return path
end

-- Returns whether a form, such as one with a recording to transcribe, names the model of another backend: in a part of
-- the form, which is not replaced.
local function names_other_model(side, headers, path)
  if not (FALLBACK and side.candidate and side.model) then return false end
  if not (headers:get("content-type") or ""):lower():find("^multipart/") then return false end
  for _, form in ipairs(MODELS_IN_PATHS) do
    if path:match("^[^?]*"):match(form) then return false end
  end
  return (tonumber(headers:get("content-length") or "") or 0) <= LONGEST_FORM -- a missing header is no value, not nil
end

local function adapt_path(path, side, as_sent)
  if not as_sent then path = rename_in_path(path, side) end
  if not side.keep then path = without_secrets(path, side.harmless_only) end
  local strip = side.strip
  if strip ~= "" and path:sub(1, #strip) == strip then
    local rest = path:sub(#strip + 1)
    local next_char = rest:sub(1, 1)
    if next_char == "" or next_char == "?" then path = "/" .. rest
    elseif next_char == "/" then path = rest end
  end
  return side.prefix .. path
end

local function adapt_headers(headers, state, side, known, path, as_sent)
  for _, name in ipairs(NAMES) do
    local value = client_value(state, headers, name)
    if CREDENTIALS[name] and not side.keep then value = nil end
    if side.set[name] ~= nil then value = side.set[name] end
    if side.secret ~= nil and side.secret.header == name then
      local secret = secret_value(state, side.secret.state)
      value = secret and side.secret.prefix .. secret
    end
    put(headers, name, value)
  end
  if path ~= nil then put(headers, ":path", adapt_path(path, side, as_sent)) end
  local original = known.original
  if original ~= nil and not side.keep then original = without_secrets(original, side.harmless_only) end
  put(headers, ORIGINAL_PATH, original)
  put(headers, ":authority", side.host)
end

-- Gives a header the values that the route had made of the client's. `rule`: what the route does, or nil for nothing.
local function put_routed(headers, name, rule, value)
  if rule == nil then return put(headers, name, value) end
  put(headers, name, rule.keeps and value or nil)
  if rule.value ~= nil and not (rule.if_absent and value ~= nil) then headers:add(name, rule.value) end
end

-- Gives the headers the values that the route had given them before attempt 1 changed them. They are not kept in
-- dynamic metadata, because logs can show that, and a header can hold a credential. Attempt 1 itself lacks only the
-- client's credentials, which the candidate's entry of the weighted split has removed.
local function restore_headers(headers, state, side, known, first)
  for _, name in ipairs(NAMES) do
    if CREDENTIALS[name] or not first then
      put_routed(headers, name, side.set[name], client_value(state, headers, name))
    end
  end
  put(headers, ":path", known.path)
  put(headers, ORIGINAL_PATH, known.original)
  put(headers, ":authority", known.authority)
  put(headers, "content-length", known.length)
end

-- Lets Envoy ask the baseline instead of the candidate, which would get the model's name of another backend: the
-- candidate gets no content, and its answer is replaced (see envoy_on_response). Envoy does not retry an answer of
-- Lua's own.
local function leave_to_baseline(metadata, body)
  metadata:set("glidepath", "left", true)
  return body:setBytes("")
end

-- Returns whether what another server may have made is taken out. `facts`: nil for a copy, whose answer nobody waits
-- for.
local function is_without(side, facts, first)
  if side.without == nil then return false end
  if facts == nil then return true end
  return facts.foreign == "true" and (side.without == "always" or not first)
end

-- Returns the length of the body after its model has been replaced by that of the side. `without`: see is_without.
local function adapt_body(handle, body, side, first, without)
  local metadata = handle:streamInfo():dynamicMetadata()
  local facts = metadata:get("glidepath.request")
  if without and without_foreign(body) then
    metadata:set("glidepath", "stripped", side.name)
    facts = nil -- the positions in it are no longer true
  end
  local length, reason = renamed(body, side.model, facts)
  if reason == nil then return length end
  metadata:set("glidepath", "not_renamed", reason)
  if FALLBACK and first and side.candidate then return leave_to_baseline(metadata, body) end
  return length
end

local function adapt_length(headers, length)
  put(headers, "content-length", tostring(length))
  headers:remove("transfer-encoding")
end

-- Returns what the route made of the request, and whether this is the first attempt. It is kept in dynamic metadata,
-- because a client can send x-envoy-attempt-count itself, and because a retry must not adapt the path a second time.
local function as_routed(handle, headers)
  local path, original = headers:get(":path"), headers:get(ORIGINAL_PATH)
  if not RETRIES then return { path = path, original = original }, true end
  local metadata = handle:streamInfo():dynamicMetadata()
  local known = metadata:get("glidepath")
  if known ~= nil and known.path ~= nil then
    if known.left then metadata:set("glidepath", "left", false) end
    return known, false
  end
  local authority, length = headers:get(":authority"), headers:get("content-length")
  known = { path = path, original = original, authority = authority, length = length }
  for key, value in pairs(known) do metadata:set("glidepath", key, value) end
  return known, true
end

-- Returns the side of the endpoint that Envoy has chosen for this attempt.
local function chosen_side(headers)
  if not FALLBACK then return SIDES[DEFAULT] end
  local side = SIDES[headers:get("x-glidepath-backend") or DEFAULT] or SIDES[DEFAULT]
  headers:remove("x-glidepath-backend")
  return side
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local side = chosen_side(headers)
  local known, first = as_routed(handle, headers)
  if FALLBACK then handle:streamInfo():dynamicMetadata():set("glidepath", "asked", side.candidate == true) end
  if side.restore then
    if ONLY_PASSED then pass_headers(headers, handle:streamInfo():filterState(), side, first) end
    return restore_headers(headers, handle:streamInfo():filterState(), side, known, first)
  end
  local length = nil
  local as_sent = handle:streamInfo():filterState():get("glidepath.as_sent") == "1" -- never for inference
  local facts = handle:streamInfo():dynamicMetadata():get("glidepath.request")
  if facts ~= nil and facts.state == "unread" and facts.read ~= "ambiguous" then as_sent = true end
  local without = is_without(side, facts, first)
  local changes = (RENAMES or without) and not as_sent
  local sent_to = headers:get(":path") or ""
  if changes and first and names_other_model(side, headers, sent_to) then
    local body = handle:body() -- yields: objects fetched from the handle before are invalid afterwards
    headers = handle:headers()
    local metadata = handle:streamInfo():dynamicMetadata()
    metadata:set("glidepath", "not_renamed", "form")
    length = leave_to_baseline(metadata, body)
  elseif changes and not is_upload(headers:get("content-type") or "", sent_to) then
    local body = handle:body()
    headers = handle:headers()
    length = adapt_body(handle, body, side, first, without)
  elseif not first then -- attempt 1 may have had no content
    put(headers, "content-length", known.length)
  end
  local state = handle:streamInfo():filterState()
  local path = nil
  if PATHS then path = state:get("glidepath.client.:path") or known.path end
  if ONLY_PASSED then pass_headers(headers, state, side, first) end
  adapt_headers(headers, state, side, known, path, as_sent)
  if length ~= nil then adapt_length(headers, length) end
end

-- Notes the 3xx or 4xx of the candidate, which the access log does not show once the baseline has answered. The latest
-- attempt is the one that answers, unless Envoy waits for two at once; then the candidate's answer is not noted.
local function note_refusal(handle, headers)
  local metadata = handle:streamInfo():dynamicMetadata()
  local known = metadata:get("glidepath")
  if known == nil then return SIDES[DEFAULT] end
  if known.left then headers:replace(":status", "503") end
  local status = headers:get(":status")
  if known.asked and status:find("^[34]") and not known.left then metadata:set("glidepath", "refused", status) end
  for _, side in pairs(SIDES) do
    if (side.candidate == true) == known.asked then return side end
  end
  return SIDES[DEFAULT]
end

if FALLBACK or REDIRECTS then
  function envoy_on_response(handle)
    local headers, side = handle:headers(), SIDES[DEFAULT]
    if FALLBACK then side = note_refusal(handle, headers) end
    if side.origins == nil or headers:get(":status"):sub(1, 1) ~= "3" then return end
    local location = headers:get("location")
    if location ~= nil then headers:replace("location", location_for_client(side, location)) end
  end
end

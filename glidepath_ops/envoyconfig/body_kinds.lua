-- Tells apart the bodies that are read and changed, and those that Envoy must not hold. Both the reading of requests
-- (read_request.lua) and the adaptation to a backend (backend_adaptation.lua) use it, so both treat the same bodies.

-- The calls that take JSON only. Some servers read it whatever the content type says.
local JSON_CALLS = {
  "/completions", "/responses", "/embeddings", "/messages", "/moderations", "/rerank",
  "/api/chat", "/api/generate", "/api/embed",
}
local UPLOADS = { "^multipart/", "^audio/", "^image/", "^video/", "^application/octet%-stream" }

local function bare_path(path)
  return (path:match("^[^?]*"):gsub("/+$", ""))
end

local function ends_with(text, ends)
  for _, wanted in ipairs(ends) do
    if text:sub(-#wanted) == wanted then return true end
  end
  return false
end

local function takes_json_only(path)
  return ends_with(bare_path(path), JSON_CALLS)
end

-- Returns whether the body belongs to a gRPC call, also from a browser (grpc-web). Such a call may be answered before
-- its end, so a call whose body Envoy holds may wait for ever.
local function is_grpc(kind)
  local rest = kind:lower():match("^%s*application/grpc(.?)")
  return rest ~= nil and (rest == "" or rest:find("[-+;%s]") ~= nil)
end

-- Returns whether the body is neither read nor changed because of what it is.
local function is_upload(kind, path)
  if is_grpc(kind) then return true end
  if takes_json_only(path) then return false end
  for _, pattern in ipairs(UPLOADS) do
    if kind:lower():find(pattern) then return true end
  end
  return false
end

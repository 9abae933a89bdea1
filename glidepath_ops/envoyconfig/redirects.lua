-- Keeps a client that follows a redirect on the way through Envoy: at the backend itself it has no credential, or
-- another path. A redirect to any other place stays as it is. Envoy itself follows none.

-- Returns the location of a redirect as the client can reach it: through Envoy if it names the side, else unchanged.
local function location_for_client(side, location)
  local rest, lower = nil, location:lower()
  for _, origin in ipairs(side.origins) do
    local after = lower:sub(#origin + 1, #origin + 1)
    if rest == nil and lower:sub(1, #origin) == origin and (after == "" or after:find("[/?#]")) then
      rest = location:sub(#origin + 1)
    end
  end
  if rest == nil and location:find("^/[^/]") then rest = location end
  if rest == nil then return location end
  if rest:sub(1, 1) ~= "/" then rest = "/" .. rest end
  local prefix = side.prefix
  if prefix ~= "" then
    if rest:sub(1, #prefix) ~= prefix or not rest:sub(#prefix + 1):find("^[/?#]") then return location end
    rest = rest:sub(#prefix + 1)
    if rest:sub(1, 1) ~= "/" then rest = "/" .. rest end
  end
  local found = side.strip .. rest
  if found:find("^/[/\\%s]") then return location end -- a client would read what follows as the name of a server
  return found
end

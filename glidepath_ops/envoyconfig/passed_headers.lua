-- Lets only the client's headers that are known to be harmless, and those that the configuration names, pass to a side
-- of another party. Envoy keeps header changes for the next attempt, so the other side gets them back.

local REMOVED = "glidepath.removed" -- filter state: what a side did not get; it is never logged and never leaves Envoy

local HANDLED = {}
for _, name in ipairs(NAMES) do HANDLED[name] = true end

local function is_passed(side, name)
  if name:sub(1, 1) == ":" or PASSED[name] or side.passed[name] then return true end
  for _, prefixes in ipairs({ PASSED_PREFIXES, side.passed_prefixes }) do
    for _, prefix in ipairs(prefixes) do
      if name:sub(1, #prefix) == prefix then return true end
    end
  end
  return false
end

-- Removes the client's headers that do not pass to the side, and keeps them for the attempt at the other side. HANDLED:
-- headers that each attempt sets by itself. An Envoy whose Lua cannot keep them removes none but the credentials.
local function remove_others(headers, state, side)
  if FALLBACK and state.set == nil then return end
  local removed, lines = {}, {}
  for name, value in pairs(headers) do
    if not is_passed(side, name) then
      removed[#removed + 1] = name
      if not HANDLED[name] then lines[#lines + 1] = name .. "\n" .. value .. "\n" end
    end
  end
  for _, name in ipairs(removed) do headers:remove(name) end
  if #lines > 0 and FALLBACK then state:set(REMOVED, "envoy.string", table.concat(lines)) end
end

local function put_back(headers, state)
  for name, value in (state:get(REMOVED) or ""):gmatch("([^\n]+)\n([^\n]*)\n") do headers:add(name, value) end
end

-- Gives a side the client's headers that it may have.
local function pass_headers(headers, state, side, first)
  if side.passed ~= nil then
    remove_others(headers, state, side)
  elseif ONLY_PASSED and FALLBACK and not first then
    put_back(headers, state)
  end
end

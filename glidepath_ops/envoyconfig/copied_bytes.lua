-- Limits the bytes of copied bodies that Envoy holds for extproc. Runs as an upstream filter of extproc's cluster, once
-- per gRPC stream.
--
-- Nothing else limits them: a client never waits for extproc, so the copies wait in Envoy's memory. All bytes of an
-- open stream count, because Envoy does not tell which of them extproc has read. A stream that reaches a limit gets one
-- empty message instead of the rest, which tells extproc that the copy is not complete.
--
-- Defined above this text: STREAM_BYTES and WORKER_BYTES, the limits of one stream, and of all streams of a worker
-- thread (each thread has a Lua state of its own).

local REST_IS_MISSING = "\0\0\0\0\0" -- a gRPC message without content
local held = 0
local last_number = 0
local collected_at = nil
local bytes = setmetatable({}, { __mode = "k" }) -- of each open stream
local open = setmetatable({}, { __mode = "v" }) -- the open streams, by number

local function release(stream)
  held = held - (bytes[stream] or 0)
  bytes[stream] = nil
end

-- Stands for a stream. Lua has no call for the end of a stream that Envoy or extproc resets, but then it collects the
-- stream's coroutine, and with it this object.
local STREAM = newproxy(true)
getmetatable(STREAM).__gc = release

local function has_room(length)
  if held + length <= WORKER_BYTES then return true end
  local now = os.time()
  if now ~= collected_at then -- at most once a second, because it takes time
    collected_at = now
    collectgarbage()
  end
  return held + length <= WORKER_BYTES
end

function envoy_on_request(handle)
  local stream = newproxy(STREAM)
  last_number = last_number + 1
  open[last_number], bytes[stream] = stream, 0
  handle:streamInfo():dynamicMetadata():set("glidepath", "stream", last_number)
  local complete = true
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if not complete then
      chunk:setBytes("")
    elseif bytes[stream] ~= nil and bytes[stream] + length <= STREAM_BYTES and has_room(length) then
      bytes[stream] = bytes[stream] + length
      held = held + length
    else
      complete = false
      chunk:setBytes(REST_IS_MISSING)
    end
  end
end

-- extproc answers only to end a stream.
function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get("glidepath")
  local stream = known ~= nil and open[known.stream] or nil
  if stream ~= nil then release(stream) end
end

-- Sends requests that were made before, each once, as they stand in a file: eight digits of length before each.
local requests, sent = {}, 0

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  while true do
    local length = file:read(8)
    if not length then break end
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end

function request()
  sent = sent + 1
  -- More than were made would be refused as replayed, and counted as errors.
  return requests[math.min(sent, #requests)]
end

function done(summary)
  io.write(string.format('answered %d refused %d microseconds %d\n', summary.requests, summary.errors.status, summary.duration))
end

--[[ Heads and pages of customers as they stood at one moment: a commit in between would tear them apart.
     KEYS[1] hash states   KEYS[2] hash chunks
     ARGV[1] how many customers   ARGV[2…] their ids, then the fields of their pages
     Returns {{head | nil, …}, {bytes | nil, …}} in the order asked. Writes nothing. ]]

-- Lua unpacks fewer than 8000 values at once.
local STEP = 4000
local function read(key, first, last)
  local found = {}
  for from = first, last, STEP do
    local values = redis.call('HMGET', key, unpack(ARGV, from, math.min(from + STEP - 1, last)))
    for i = 1, #values do found[#found + 1] = values[i] end
  end
  return found
end
local customers = tonumber(ARGV[1])
return { read(KEYS[1], 2, customers + 1), read(KEYS[2], customers + 2, #ARGV) }

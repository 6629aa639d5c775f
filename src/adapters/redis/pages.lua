--[[ Heads and pages of customers as they stood at one moment: a commit in between would tear them apart.
     KEYS[1] hash marks   KEYS[2] hash states   KEYS[3] hash chunks
     ARGV[1] how many customers   ARGV[2…] their ids, then the fields of their pages
     Returns {epoch | "", seq | "", {head | nil, …}, {bytes | nil, …}} in the order asked: where the shard stands at that moment
     (see heads.lua), heads, pages. Writes nothing. ]]

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
local held = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
return { held[1] or '', held[2] or '', read(KEYS[2], 2, customers + 1), read(KEYS[3], customers + 2, #ARGV) }

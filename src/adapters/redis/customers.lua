--[[ One step over the customer ids of a shard; HSCAN without its values, which Redis itself offers from 7.4 on.
     KEYS[1] hash marks   KEYS[2] hash states
     ARGV[1] cursor, "0" = start   ARGV[2] how many to look at, about
     Returns {epoch | "", seq | "", cursor, {id, …}}: where the shard stands at this step (see heads.lua); cursor "0" = done. An id
     may come twice. Writes nothing. ]]
local held = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local found = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
local ids = {}
for i = 1, #found[2], 2 do ids[#ids + 1] = found[2][i] end
return { held[1] or '', held[2] or '', found[1], ids }

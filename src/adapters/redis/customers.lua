--[[ One step over the customer ids of a shard; HSCAN without its values, which Redis itself offers from 7.4 on.
     KEYS[1] hash states
     ARGV[1] cursor, "0" = start   ARGV[2] how many to look at, about
     Returns {cursor, {id, …}}: cursor "0" = done. An id may come twice. Writes nothing. ]]
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local ids = {}
for i = 1, #found[2], 2 do ids[#ids + 1] = found[2][i] end
return { found[1], ids }

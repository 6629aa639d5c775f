--[[ Heads of customers, and where the shard stands at that very moment: asked apart from each other, the store may lose its last
     writes in between and be back where the reader expects it (decision 0006).
     KEYS[1] hash marks   KEYS[2] hash states
     ARGV[1…] ids; Lua unpacks fewer than 8000
     Returns {epoch | "", seq | "", {head | nil, …}}. Writes nothing. ]]
local held = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
return { held[1] or '', held[2] or '', redis.call('HMGET', KEYS[2], unpack(ARGV)) }

--[[ Takes a shard over: the epoch grows by one, so that scripts of the former owner are refused (A4, step 1 of acquire).
     KEYS[1] hash marks   KEYS[2] hash states   KEYS[3] hash chunks   KEYS[4] zset deadlines
     Returns {epoch (integer), marks | "", policy | "", counts | "", counts found}: marks (JSON) and policy (text) as the last commit
     left them; counts "states chunks deadlines" as it left them, and as they are.
     Sent twice it grows the epoch twice, which only costs a number. ]]
-- First, because a key of another type must fail before anything is written.
local found = redis.call('HLEN', KEYS[2]) .. ' ' .. redis.call('HLEN', KEYS[3]) .. ' ' .. redis.call('ZCARD', KEYS[4])
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
local held = redis.call('HMGET', KEYS[1], 'marks', 'policy', 'counts')
return { epoch, held[1] or '', held[2] or '', held[3] or '', found }

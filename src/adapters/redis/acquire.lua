--[[ Takes a shard over: a new epoch, so that scripts of the former owner are refused (A4, step 1 of acquire).
     KEYS[1] hash marks   KEYS[2] hash states   KEYS[3] hash chunks   KEYS[4] zset deadlines
     Returns {epoch (integer), marks | "", policy | "", counts | "", counts found}: marks (JSON) and policy (text) as the last commit
     left them; counts "states chunks deadlines" as it left them, and as they are.
     The epoch grows, and no two owners ever get the same one: it is this server's time in microseconds, or one more than
     the last. Counted by ones, a replica that takes over without the last owner's count would give it out again.
     Sent twice it takes two epochs, which only costs a number. ]]
-- First, because a key of another type must fail before anything is written.
local chunks = redis.call('HLEN', KEYS[3]) - redis.call('HEXISTS', KEYS[3], '')
local found = redis.call('HLEN', KEYS[2]) .. ' ' .. chunks .. ' ' .. redis.call('ZCARD', KEYS[4])
local time = redis.call('TIME')
local held = redis.call('HMGET', KEYS[1], 'marks', 'policy', 'counts', 'epoch')
local epoch = math.max(time[1] * 1000000 + time[2], (held[4] or 0) + 1)
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
return { epoch, held[1] or '', held[2] or '', held[3] or '', found }

--[[ Takes a shard over: a new epoch, so that scripts of the former owner are refused (A4, step 1 of acquire).
     KEYS[1] hash marks
     Returns {epoch (integer), marks | nil, policy | nil}: marks (JSON text) and policy (text) as the last commit left them.
     The epoch grows, and no two owners ever get the same one: it is this server's time in microseconds, or one more than
     the last. Counted by ones, a replica that takes over without the last owner's count would give it out again.
     Sent twice it takes two epochs, which only costs a number. ]]
local time = redis.call('TIME')
local held = redis.call('HMGET', KEYS[1], 'marks', 'policy', 'epoch')
local epoch = math.max(time[1] * 1000000 + time[2], (held[3] or 0) + 1)
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
return { epoch, held[1], held[2] }

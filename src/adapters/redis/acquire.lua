--[[ Takes a shard over: the epoch grows by one, so that scripts of the former owner are refused (A4, step 1 of acquire).
     KEYS[1] hash marks
     Returns {epoch (integer), marks | nil, policy | nil}: marks (JSON text) and policy (text) as the last commit left them.
     Sent twice it grows the epoch twice, which only costs a number. ]]
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
local held = redis.call('HMGET', KEYS[1], 'marks', 'policy')
return { epoch, held[1], held[2] }

--[[ Where a shard stands, and whether it holds what the last commit left (A4).
     KEYS[1] hash marks   KEYS[2] hash states   KEYS[3] hash chunks   KEYS[4] zset deadlines
     Returns {epoch | "", seq | "", counts | "", counts found}: counts "states chunks deadlines" as the last commit left them, "" from
     before they were kept, and as they are. Writes nothing. ]]
local held = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'counts')
local chunks = redis.call('HLEN', KEYS[3]) - redis.call('HEXISTS', KEYS[3], '')
local found = redis.call('HLEN', KEYS[2]) .. ' ' .. chunks .. ' ' .. redis.call('ZCARD', KEYS[4])
return { held[1] or '', held[2] or '', held[3] or '', found }

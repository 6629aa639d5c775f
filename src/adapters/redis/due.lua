--[[ The first deadlines up to an instant, and where the shard stands at that very moment (see heads.lua).
     KEYS[1] hash marks   KEYS[2] zset deadlines (score: instant, ms)
     ARGV[1] instant, ms   ARGV[2] how many at most
     Returns {epoch | "", seq | "", {id, instant, …}} in (instant, UTF-8 bytes of the id) order. Writes nothing. ]]
local held = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
return { held[1] or '', held[2] or '', due }

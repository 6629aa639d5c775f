--[[ Commits one batch of a shard, or nothing (A4, step 3).
     KEYS[1] hash marks   KEYS[2] hash states   KEYS[3] hash chunks   KEYS[4] zset deadlines (score: instant, ms)
     ARGV[1] epoch held        ARGV[2] seq the store must be at, "0" = no marks       ARGV[3] seq of this commit
     ARGV[4] marks (JSON)      ARGV[5] policy text, "" = as it is
     ARGV[6…11] how many: states to set, states to delete, chunks to set, chunks to delete, deadlines to set, deadlines to remove
     ARGV[12…]  the items in that order: id, head … | id … | field, bytes … | field … | instant, id … | id …
     Returns {"applied", seq} | {"already", seq} | {"fenced", epoch held by the store} | {"behind", seq of the store, "" = no marks}
     | {"damaged", counts, counts found}: another number of states, chunks and deadlines than the last commit left.
     Sent twice, the second is "already" and changes nothing. ]]
local held = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'counts')
local epoch, seq = held[1], held[2] or ''
if not epoch then return { 'behind', '' } end
if epoch ~= ARGV[1] then return { 'fenced', epoch } end
if seq == ARGV[3] then return { 'already', seq } end
if (seq == '' and '0' or seq) ~= ARGV[2] then return { 'behind', seq } end

-- A key of another type must fail here: once something is written, an error would leave half a batch.
local function counts()
  local chunks = redis.call('HLEN', KEYS[3]) - redis.call('HEXISTS', KEYS[3], '')
  return redis.call('HLEN', KEYS[2]) .. ' ' .. chunks .. ' ' .. redis.call('ZCARD', KEYS[4])
end
local found = counts()
if held[3] and held[3] ~= found then return { 'damaged', held[3], found } end

-- First, because it needs memory: a Redis that is full refuses a script at its first such write, and only there.
redis.call('HSET', KEYS[1], 'seq', ARGV[3], 'marks', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'policy', ARGV[5]) end

-- The chunks always exist, if only by a field without a name, which does not count: while a cluster moves the slot, a script waits
-- for each key it names until that has arrived, and one that does not exist never does.
redis.call('HSETNX', KEYS[3], '', '')

-- Lua unpacks fewer than 8000 values at once; an even number keeps pairs together.
local STEP = 4000
local next = 12
local function send(command, key, count)
  local last = next + count - 1
  while next <= last do
    local upto = math.min(next + STEP - 1, last)
    redis.call(command, key, unpack(ARGV, next, upto))
    next = upto + 1
  end
end
send('HSET', KEYS[2], 2 * ARGV[6])
send('HDEL', KEYS[2], 1 * ARGV[7])
send('HSET', KEYS[3], 2 * ARGV[8])
send('HDEL', KEYS[3], 1 * ARGV[9])
send('ZADD', KEYS[4], 2 * ARGV[10])
send('ZREM', KEYS[4], 1 * ARGV[11])
redis.call('HSET', KEYS[1], 'counts', counts())
return { 'applied', ARGV[3] }

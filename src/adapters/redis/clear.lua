--[[ Empties a shard before it is rebuilt: states, chunks, deadlines and marks go; the epoch and the policy text stay.
     KEYS[1] hash marks   KEYS[2] hash states   KEYS[3] hash chunks   KEYS[4] zset deadlines
     ARGV[1] epoch held
     Returns {"applied", "0"} | {"fenced", epoch held by the store} | {"behind", ""}: the store holds no epoch at all.
     UNLINK frees in the background: the time of this script does not grow with the shard. Sent twice it does the same. ]]
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return { 'behind', '' } end
if epoch ~= ARGV[1] then return { 'fenced', epoch } end
redis.call('HDEL', KEYS[1], 'seq', 'marks', 'counts')
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
return { 'applied', '0' }

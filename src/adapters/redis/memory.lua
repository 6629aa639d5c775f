--[[ INFO memory of the server that serves a shard now: no command asks a cluster's node for it by a key.
     KEYS[1] any key of the shard
     Returns the text. Writes nothing. ]]
return redis.call('INFO', 'memory')

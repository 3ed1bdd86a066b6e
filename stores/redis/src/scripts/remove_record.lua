-- Removes a record. Returns 1 if there was one.
return load('') and redis.call('DEL', key) or 0

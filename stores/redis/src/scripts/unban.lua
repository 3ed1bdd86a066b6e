-- Ends a ban. Returns 1 if there was one.
--   KEYS: bans by their end, bans by their name, number of changes
--   ARGV: name
local ends = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
end_with_the_last(KEYS[1], KEYS[2])
changed(KEYS[3])
return ends and ends > now and 1 or 0

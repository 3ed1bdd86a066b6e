-- Removes a value of a map.
--   ARGV: key
local before = redis.call('HGET', KEYS[1], '=' .. ARGV[1])
if not before then
  return
end
if redis.call('HLEN', KEYS[1]) == 2 then
  redis.call('DEL', KEYS[1])
  return
end
redis.call('HDEL', KEYS[1], '=' .. ARGV[1])
redis.call('HINCRBY', KEYS[1], '', text(-#ARGV[1] - #before))
redis.call('PEXPIRE', KEYS[1], text(YEAR))

-- Bans requests.
--   KEYS: bans by their end, bans by their name, number of changes
--   ARGV: name, time until the end in ms, most bans
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, 16)
for _, name in ipairs(ended) do
  redis.call('ZREM', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
if tonumber(ARGV[2]) <= 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[1], text(now + ARGV[2]), ARGV[1])
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
  if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[3]) then
    -- The one that ends first makes room; the new one stays.
    local first = redis.call('ZRANGE', KEYS[1], 0, 1)
    local name = first[1] == ARGV[1] and first[2] or first[1]
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
  end
end
end_with_the_last(KEYS[1], KEYS[2])
changed(KEYS[3])

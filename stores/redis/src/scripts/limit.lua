-- Limits requests to a quota.
--   KEYS: limits by their end, quotas of limits, number of changes
--   ARGV: name, interval in µs, burst, time until the end in ms, most limits
local function remove(name)
  redis.call('ZREM', KEYS[1], name)
  redis.call('HDEL', KEYS[2], name)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, 16)) do
  remove(name)
end
if tonumber(ARGV[4]) <= 0 then
  remove(ARGV[1])
else
  -- The requests that were counted under an earlier limit count.
  local known = redis.call('HGET', KEYS[2], ARGV[1])
  local due = known and string.match(known, '(%d+)$') or '0'
  redis.call('ZADD', KEYS[1], text(now + ARGV[4]), ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. due)
  if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[5]) then
    local first = redis.call('ZRANGE', KEYS[1], 0, 1)
    remove(first[1] == ARGV[1] and first[2] or first[1])
  end
end
end_with_the_last(KEYS[1], KEYS[2])
changed(KEYS[3])

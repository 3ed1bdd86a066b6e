-- Counts a request against limits. Returns the time until the end of those that it exceeds, in ms.
--   KEYS: limits by their end, quotas of limits
--   ARGV: names
local last = now
for _, name in ipairs(ARGV) do
  local ends = tonumber(redis.call('ZSCORE', KEYS[1], name)) or 0
  local quota = ends > now and redis.call('HGET', KEYS[2], name)
  if quota then
    local interval, burst, due = string.match(quota, '^(%d+) (%d+) (%d+)$')
    due = count(tonumber(due), tonumber(interval), tonumber(burst))
    if due then
      redis.call('HSET', KEYS[2], name, interval .. ' ' .. burst .. ' ' .. text(due))
    else
      last = math.max(last, ends)
    end
  end
end
return last > now and last - now

-- Counts a request against a quota. Returns 1 if it is within.
--   ARGV: interval in µs, burst
local due = count(tonumber(redis.call('GET', KEYS[1])), tonumber(ARGV[1]), tonumber(ARGV[2]))
if not due then
  return 0
end
redis.call('SET', KEYS[1], text(due), 'PX', text(math.floor((due - micros) / 1000) + 1))
return 1

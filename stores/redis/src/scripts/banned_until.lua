-- Returns the time until the last end of bans in ms.
--   KEYS: bans by their end
--   ARGV: names
local last = now
for _, name in ipairs(ARGV) do
  last = math.max(last, tonumber(redis.call('ZSCORE', KEYS[1], name)) or 0)
end
return last > now and last - now

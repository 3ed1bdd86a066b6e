-- Returns the version of a list and its entries, if it is not the version that is known.
--   ARGV: version
local version, start = string.match(redis.call('GETRANGE', KEYS[1], 0, 31), '^(%d+) ()')
if not version or version == ARGV[1] then
  return false
end
return { version, redis.call('GETRANGE', KEYS[1], start - 1, -1) }

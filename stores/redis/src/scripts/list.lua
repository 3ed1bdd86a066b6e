-- Returns the version of a list and its entries, if it is not the version that is known.
--   ARGV: version
local found = redis.call('GET', KEYS[1])
local version, start = string.match(found or '', '^(%d+) ()')
if not version or version == ARGV[1] then
  return false
end
return { version, string.sub(found, start) }

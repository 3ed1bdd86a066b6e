-- Returns the value of a variable.
--   ARGV: name
local found = redis.call('HGET', KEYS[1], '=' .. ARGV[1])
if not found then
  return false
end
local expires, _, value = parts(found)
return (expires == '0' or tonumber(expires) > now) and value

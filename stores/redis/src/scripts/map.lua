-- A map is a hash. The field '' has the size of its keys and values in bytes, and '=' .. key the value of this key.
local YEAR = 365 * 86400 * 1000

-- Sets a value. Returns 0; 1 if the map has the maximum number of values; 2 if it takes too many bytes.
local function set(key, value, most_values, most_bytes)
  local found = redis.call('HMGET', KEYS[1], '', '=' .. key)
  local bytes = (tonumber(found[1]) or 0) + #key + #value
  if found[2] then
    bytes = bytes - #key - #found[2]
  elseif redis.call('HLEN', KEYS[1]) - 1 >= tonumber(most_values) then
    return 1
  end
  if bytes > tonumber(most_bytes) then
    return 2
  end
  redis.call('HSET', KEYS[1], '', text(bytes), '=' .. key, value)
  redis.call('PEXPIRE', KEYS[1], text(YEAR))
  return 0
end

-- Returns the name and the value of each variable.
local fields, found = redis.call('HGETALL', KEYS[1]), {}
for place = 1, #fields, 2 do
  if string.sub(fields[place], 1, 1) == '=' then
    local expires, _, value = parts(fields[place + 1])
    if expires == '0' or tonumber(expires) > now then
      found[#found + 1] = string.sub(fields[place], 2)
      found[#found + 1] = value
    end
  end
end
return found

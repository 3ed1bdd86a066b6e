-- Numbers of variables have 64 bits. Lua's have 53, so that the server's own arithmetic takes over where they do not suffice.

-- Returns a value as a whole number in the form that HINCRBY takes. What is not a number counts as 0.
local function whole(value)
  local sign, digits = string.match(value, '^%s*([+-]?)0*(%d*)%s*$')
  if not digits or digits == '' or #digits > 19 then
    return '0'
  end
  if #digits == 19 and digits > (sign == '-' and '9223372036854775808' or '9223372036854775807') then
    return '0'
  end
  return (sign == '-' and '-' or '') .. digits
end

-- Returns the sum of two whole numbers; the largest or the smallest number if it would be beyond.
local function sum(one, other)
  if #one <= 15 and #other <= 15 then
    return text(one + other)
  end
  redis.call('HSET', key, '+', one)
  local added = redis.pcall('HINCRBY', key, '+', other)
  local result = redis.call('HGET', key, '+')
  redis.call('HDEL', key, '+')
  if type(added) == 'table' and added.err then
    return string.sub(other, 1, 1) == '-' and '-9223372036854775808' or '9223372036854775807'
  end
  return result
end

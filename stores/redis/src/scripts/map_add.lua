-- Adds to a value of a map.
--   ARGV: key, amount, most values, most bytes
--   Returns a code as in `set`, and the sum; 3 if the value is not a number.

-- Returns a number as the shortest text of the same value.
local function shortest(number)
  if number == math.floor(number) and math.abs(number) < 1e300 then
    return text(number)
  end
  for digits = 15, 17 do
    local short = string.format('%.' .. digits .. 'g', number)
    if tonumber(short) == number then
      return short
    end
  end
  return tostring(number)
end

local before = redis.call('HGET', KEYS[1], '=' .. ARGV[1]) or '0'
local number = not string.find(before, '[xX]') and tonumber(before)
if not number then
  return { 3 }
end
local sum = number + ARGV[2]
return { set(ARGV[1], shortest(sum), ARGV[3], ARGV[4]), string.format('%.17g', sum) }

-- Adds to a value of a map.
--   ARGV: key, amount, most values, most bytes
--   Returns a code as in `set`, and the sum; 3 if the value is not a number.

-- Returns the text of a sum: of a whole number all digits, of another one those of `tostring` in Lua.
local function text_of_sum(number)
  if number == math.floor(number) and math.abs(number) < 1e300 then
    return text(number)
  end
  return string.format(math.abs(number) < 1e14 and '%.14g' or '%.17g', number)
end

local before = redis.call('HGET', KEYS[1], '=' .. ARGV[1]) or '0'
local number = not string.find(before, '[xX]') and tonumber(before)
if not number then
  return { 3 }
end
local sum = number + ARGV[2]
return { set(ARGV[1], text_of_sum(sum), ARGV[3], ARGV[4]), string.format('%.17g', sum) }

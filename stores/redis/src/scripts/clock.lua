-- The time of the server: the clocks of the machines that ask need not agree.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)

-- Writes a whole number below 2^53: Lua's own form has 14 digits. The sum is never -0, which the server does not take for a number.
local function text(number)
  return string.format('%.0f', number + 0)
end

-- Decreases a number by an amount for each full period, but not below 0. Returns the rest.
--   ARGV: name, amount, period in ms
local record, before = load(ARGV[1])
if not before then
  return false
end
local expires, decreased, value = parts(before)
local number, period = whole(value), tonumber(ARGV[3])
local periods = math.max(math.floor((now - decreased) / period), 0)
local due, left = periods * ARGV[2], '0'
if due == 0 then
  left = string.sub(number, 1, 1) == '-' and '0' or number
elseif string.sub(number, 1, 1) ~= '-' and due < 9223372036854775807 then
  left = sum(number, '-' .. text(due))
  left = string.sub(left, 1, 1) == '-' and '0' or left
end
-- A value of 0 does not accumulate periods.
decreased = left == '0' and text(now) or text(decreased + periods * period)
if periods > 0 and left ~= number and string.sub(number, 1, 1) ~= '-' then
  exclude(record, ARGV[1], expires, value)
  include(record, ARGV[1], expires, left)
  value = left
end
save(record, '=' .. ARGV[1], variable(expires, decreased, value))
return whole(value)

-- Sets the time at which a variable expires.
--   ARGV: name, time until then in ms, which may be below 0
local record, before = load(ARGV[1])
if not before then
  return
end
local expires, decreased, value = parts(before)
exclude(record, ARGV[1], expires, value)
expires = text(math.max(now + ARGV[2], 1))
include(record, ARGV[1], expires, value)
save(record, '=' .. ARGV[1], variable(expires, decreased, value))

-- Removes a variable.
--   ARGV: name
local record, before = load(ARGV[1])
if not before then
  return
end
if redis.call('HLEN', key) == 3 and record.own == '' then
  redis.call('DEL', key)
  return
end
local expires, _, value = parts(before)
exclude(record, ARGV[1], expires, value)
redis.call('HDEL', key, '=' .. ARGV[1])
save(record)

-- Sets a variable, or adds to it.
--   ARGV: 'write' or 'add', name, value or amount, time until the record ends in ms, '1' for the first change of a transaction, most variables,
--         most bytes of all variables
--   Returns 0, the value, and the record's creation, last change and number of changes until then, where they are wanted and there was a record;
--   1 if the record has the maximum number of variables; 2 if it takes too many bytes.
local operation, name, value = ARGV[1], ARGV[2], ARGV[3]
local record, before = load(name)
local is_new, moment = not record, text(now)
record = record or { created = moment, updated = moment, updates = '0', bytes = 0, next = '0', last = '0', lasting = 0 }
local answer = { 0, '' }
if ARGV[5] == '1' and not is_new then
  answer = { 0, '', record.created, record.updated, record.updates }
  record.updated, record.updates = moment, text(record.updates + 1)
end
local expires, decreased, old = '0', moment, nil
if before then
  expires, decreased, old = parts(before)
  exclude(record, name, expires, old)
elseif not is_new and redis.call('HLEN', key) - 2 >= tonumber(ARGV[6]) or tonumber(ARGV[6]) < 1 then
  return { 1 }
end
if operation == 'add' then
  value = sum(old and whole(old) or '0', value)
else
  expires, decreased = '0', moment
end
include(record, name, expires, value)
if record.bytes > tonumber(ARGV[7]) then
  return { 2 }
end
record.ends = text(now + ARGV[4])
save(record, '=' .. name, variable(expires, decreased, value))
answer[2] = value
return answer

-- Changes a record, and begins its timeout anew.
--   ARGV: 'write' or 'add', name, value or amount; or 'timeout', '', its own timeout in ms; or 'touch', '', '';
--         then the time until the record ends in ms unless it has a timeout of its own, '1' for the first change of a transaction, most variables,
--         most bytes of all variables, which may be below 0
--   Returns 0, the value, and the record's history until then, if it is wanted and there was a record; 1 if the record has the maximum number of
--   variables; 2 if it takes too many bytes.
local operation, name, value = ARGV[1], ARGV[2], ARGV[3]
local record, before = load(name)
local is_new, moment = not record, text(now)
if is_new and operation == 'touch' then
  return { 0, '' }
end
record = record or { created = moment, updated = moment, updates = '0', own = '', bytes = 0, next = '0', last = '0', lasting = 0 }
local answer = { 0, '' }
if ARGV[5] == '1' and not is_new then
  answer = { 0, '', unpack(history_of(record)) }
  record.updated, record.updates = moment, text(record.updates + 1)
end
local field = {}
if operation == 'timeout' then
  if tonumber(ARGV[7]) < 0 and tonumber(record.bytes) == 0 then
    return { 2 }
  end
  record.own = value
elseif operation ~= 'touch' then
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
    decreased = moment
  end
  include(record, name, expires, value)
  if record.bytes > tonumber(ARGV[7]) then
    return { 2 }
  end
  field = { '=' .. name, variable(expires, decreased, value) }
  answer[2] = value
end
record.ends = text(now + (record.own ~= '' and record.own or ARGV[4]))
save(record, unpack(field))
return answer

-- A record is a hash. The field '' has its history, '#' its sizes, and '=' .. name the variable of this name: when it expires (0 for never), the time up
-- to which it was decreased, and its value. Times are in milliseconds since 1970. Fields of at most 64 bytes take little memory.
--
-- Numbers that do not change stay texts: a conversion costs as much as a command.
local key = KEYS[1]

-- Overhead of a variable, in bytes.
local OVERHEAD = 160

-- Returns the parts of a variable as texts.
local function parts(variable)
  local expires, decreased, start = string.match(variable, '^(%d+) (%d+) ()')
  return expires, decreased, string.sub(variable, start)
end

-- Counts a variable in what is known of its record.
local function include(record, name, expires, value)
  record.bytes = record.bytes + OVERHEAD + #name + #value
  if expires == '0' then
    record.lasting = record.lasting + 1
  else
    record.next = record.next == '0' and expires or text(math.min(record.next, expires))
    record.last = text(math.max(record.last, expires))
  end
end

-- Removes a variable from what is known of its record. The first and the last expiry stay: they are bounds.
local function exclude(record, name, expires, value)
  record.bytes = record.bytes - OVERHEAD - #name - #value
  if expires == '0' then
    record.lasting = record.lasting - 1
  end
end

-- Removes the variables that expired. Returns false if none is left.
local function purge(record)
  record.bytes, record.next, record.last, record.lasting = 0, '0', '0', 0
  local fields, is_empty = redis.call('HGETALL', key), true
  for place = 1, #fields, 2 do
    local field = fields[place]
    if string.sub(field, 1, 1) == '=' then
      local expires, _, value = parts(fields[place + 1])
      if expires ~= '0' and tonumber(expires) <= now then
        redis.call('HDEL', key, field)
      else
        include(record, string.sub(field, 2), expires, value)
        is_empty = false
      end
    end
  end
  return not is_empty
end

-- Returns what is known of the record, and one of its variables; nil if there is no record.
--   ends     the time at which it ends without a further change
--   own      the time without a change after which it ends, if rules gave it one of its own: it stays without variables then
--   bytes    the size of its variables
--   next     no variable expires before, 0 for never
--   last     no variable that expires does so later
--   lasting  the number of variables that do not expire
local function load(name)
  local found = redis.call('HMGET', key, '', '#', '=' .. name)
  if not found[1] or not found[2] then
    return nil
  end
  local record = {}
  record.created, record.updated, record.updates, record.ends, record.own = string.match(found[1], '^(%d+) (%d+) (%d+) (%d+) ?(%d*)$')
  record.bytes, record.next, record.last, record.lasting = string.match(found[2], '^(%d+) (%d+) (%d+) (%d+)$')
  if record.next ~= '0' and tonumber(record.next) <= now then
    if not purge(record) and record.own == '' then
      redis.call('DEL', key)
      return nil
    end
    return record, redis.call('HGET', key, '=' .. name)
  end
  return record, found[3]
end

-- Keeps what is known of the record, and fields of variables: a record whose variables all expire ends with the last one.
local function save(record, ...)
  local history = record.created .. ' ' .. record.updated .. ' ' .. record.updates .. ' ' .. record.ends .. ' ' .. record.own
  local sizes = record.bytes .. ' ' .. record.next .. ' ' .. record.last .. ' ' .. record.lasting
  redis.call('HSET', key, '', history, '#', sizes, ...)
  local ends = record.ends
  if tonumber(record.lasting) == 0 and record.own == '' then
    ends = text(math.min(ends, record.last))
  end
  redis.call('PEXPIREAT', key, ends)
end

-- Returns the creation, the last change, the number of changes, and the own timeout of a record, if it has one.
local function history_of(record)
  return { record.created, record.updated, record.updates, record.own ~= '' and record.own or nil }
end

-- Returns a field of a variable.
local function variable(expires, decreased, value)
  return expires .. ' ' .. decreased .. ' ' .. value
end

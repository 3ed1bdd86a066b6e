-- Counts a change of bans, limits or lists. The number is above the time of the change, so that it is another one after it was lost, too.
local YEAR = 365 * 86400 * 1000

local function next_version(version)
  return math.max((tonumber(version) or 0) + 1, micros)
end

local function changed(counter)
  redis.call('SET', counter, text(next_version(redis.call('GET', counter))), 'PX', text(YEAR))
end

-- Lets a sorted set of ends, and what belongs to it, end with the last one.
local function end_with_the_last(ends, other)
  local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')[2]
  if last then
    redis.call('PEXPIREAT', ends, text(last))
    redis.call('PEXPIREAT', other, text(last))
  end
end

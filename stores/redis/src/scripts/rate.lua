-- The generic cell rate algorithm: of the requests that were counted, all that is kept is when the next one that keeps to the interval is due.

-- The last time, in microseconds: Lua's numbers are exact up to 2^53.
local FURTHEST = 9000000000000000

-- Counts a request. Returns when the next one is due, or nil if this one exceeds the quota.
local function count(due, interval, burst)
  local tolerance = interval * (burst - 1)
  -- One further ahead was kept before the clock went back: it must not lock clients out.
  if not due or due < micros or due > micros + tolerance + interval then
    due = micros
  end
  if due - micros > tolerance then
    return nil
  end
  return math.min(due + interval, FURTHEST)
end

-- Returns the names of bans, and the time until their ends in ms.
--   KEYS: bans by their end, bans by their name
--   ARGV: '-', or '(' and the name that they follow; most of them
local found, from, most = {}, ARGV[1], tonumber(ARGV[2])
repeat
  local names = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, text(most))
  for _, name in ipairs(names) do
    local ends = tonumber(redis.call('ZSCORE', KEYS[1], name)) or 0
    if ends > now and #found < most * 2 then
      found[#found + 1] = name
      found[#found + 1] = ends - now
    end
    from = '(' .. name
  end
until #names < most or #found >= most * 2
return found

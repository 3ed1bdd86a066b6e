-- Replaces a list.
--   KEYS: list, number of changes
--   ARGV: entries
local version = string.match(redis.call('GETRANGE', KEYS[1], 0, 31), '^%d+')
redis.call('SET', KEYS[1], text(next_version(version)) .. ' ' .. ARGV[1], 'PX', text(YEAR))
changed(KEYS[2])

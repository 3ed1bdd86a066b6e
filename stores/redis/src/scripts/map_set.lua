-- Sets a value of a map.
--   ARGV: key, value, most values, most bytes
return set(ARGV[1], ARGV[2], ARGV[3], ARGV[4])

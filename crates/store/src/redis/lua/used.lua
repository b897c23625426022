-- Counts the members of a set whose deadlines are to come.
--
-- KEYS  1 the set
-- ARGV  1 now, or ''
-- Answers
--   {'used', members}

return { 'used', tostring(redis.call('ZCOUNT', KEYS[1], '(' .. clock(ARGV[1]), '+inf')) }

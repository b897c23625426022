-- Moves the deadline of a member that is in a set on, never back; one that is not stays out.
--
-- KEYS  1 the set
-- ARGV  1 now, or ''   2 member   3 deadline
-- Answers
--   {'done'}

redis.call('ZADD', KEYS[1], 'XX', 'GT', ARGV[3], ARGV[2])
keep_set(KEYS[1], clock(ARGV[1]))
return { 'done' }

-- Puts a context that is claimed into its shard of the index, along with the claim, and tells whether the shard remembers.
--
-- Afterwards the index errs on the safe side alone, whatever else is lost: the context stands no older than its newest
-- event, and its expiry is looked at within the span, if not at its time.
--
-- KEYS  1 names   2 changed   3 expiry   4 memory
-- ARGV  1 now, or ''   2 id   3 the context's name   4 span
-- Answers
--   {'remembers'}      the shard has lost nothing since it was rebuilt
--   {'forgetful'}

local now = clock(ARGV[1])
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], 'GT', now, ARGV[2])
redis.call('ZADD', KEYS[3], 'LT', later(now, ARGV[4]), ARGV[2])
return { redis.call('HGET', KEYS[4], 'epoch') and 'remembers' or 'forgetful' }

-- Ends the rebuild of a shard: from now on it remembers, unless the nonce of this rebuild is gone.
--
-- KEYS  1 memory
-- ARGV  1 nonce
-- Answers
--   {'rebuilt'}
--   {'gone'}       another's nonce is there, or none: the shard was wiped since

if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then
  return { 'gone' }
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return { 'rebuilt' }

-- Corrects when contexts of one shard are looked at, where nobody else has meanwhile, and forgets those that are gone.
--
-- KEYS  1 names   2 changed   3 expiry
-- ARGV  any number of: id, the instant that was seen, the instant that is right or '' where the context is gone
-- Answers
--   {'done'}

for i = 1, #ARGV, 3 do
  local id, seen, right = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local score = redis.call('ZSCORE', KEYS[3], id)
  if score and tonumber(score) == tonumber(seen) then
    if right == '' then
      redis.call('HDEL', KEYS[1], id)
      redis.call('ZREM', KEYS[2], id)
      redis.call('ZREM', KEYS[3], id)
    else
      redis.call('ZADD', KEYS[3], right, id)
    end
  end
end
return { 'done' }

-- Corrects when contexts of one shard are looked at, where nobody else has meanwhile, and forgets those that are gone.
--
-- KEYS  1 names   2 changed   3 expiry
-- ARGV  any number of: id, the instant that was seen in expiry, the one in changed or '', the instant that is right or ''
--       where the context is gone
--
-- Both must be as they were seen before the record was read: a claim that came since may have left the expiry as it was, for
-- it was due, but has changed the other.
-- Answers
--   {'done'}

local function is_at(key, id, seen)
  local score = redis.call('ZSCORE', key, id)
  if not score then
    return seen == ''
  end
  return tonumber(score) == tonumber(seen)
end

for i = 1, #ARGV, 4 do
  local id, seen, changed, right = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if is_at(KEYS[3], id, seen) and is_at(KEYS[2], id, changed) then
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

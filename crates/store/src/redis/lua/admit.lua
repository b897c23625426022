-- Takes a place in each of a tenant's sets, or none at all.
--
-- KEYS  1… the sets, in the order in which they are asked for
-- ARGV  1 now, or ''   then for each set: member, limit or '', deadline
-- Answers
--   {'admitted'}
--   {'full', number of the set, members that count, deadline of the next}

local now = clock(ARGV[1])
for set, key in ipairs(KEYS) do
  local member, limit = ARGV[set * 3 - 1], ARGV[set * 3]
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if limit ~= '' and not redis.call('ZSCORE', key, member) then
    local used = redis.call('ZCARD', key)
    if used >= tonumber(limit) then
      local next = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
      return { 'full', tostring(set), tostring(used), string.format('%020.0f', tonumber(next[2])) }
    end
  end
end
for set, key in ipairs(KEYS) do
  redis.call('ZADD', key, 'GT', ARGV[set * 3 + 1], ARGV[set * 3 - 1])
  keep_set(key, now)
end
return { 'admitted' }

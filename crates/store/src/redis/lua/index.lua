-- Writes down what followed from steps on contexts of one shard: when each is to be looked at, and its history.
--
-- It comes some time after the steps, and not always in their order. Where something newer has happened to the context since,
-- by a claim or by another step, its look is not put off. The instants are kept in `changed`, which only ever grows.
--
-- KEYS  1 names   2 changed   3 expiry   4 history
-- ARGV  1 entries of history that are kept   then any number of
--       'look', id, the context's name, instant of the step, instant of the look
--       'entry', instant, the context's name, place, what happened, detail, since when its lease was held or '', by whom
-- Answers
--   {'done'}

local i = 2
while i <= #ARGV do
  if ARGV[i] == 'look' then
    local id, at, look = ARGV[i + 1], ARGV[i + 3], ARGV[i + 4]
    redis.call('HSET', KEYS[1], id, ARGV[i + 2])
    redis.call('ZADD', KEYS[2], 'GT', at, id)
    if tonumber(redis.call('ZSCORE', KEYS[2], id)) <= tonumber(at) then
      redis.call('ZADD', KEYS[3], look, id)
    else
      redis.call('ZADD', KEYS[3], 'LT', look, id)
    end
    i = i + 5
  else
    local entry = { 'at', bare(ARGV[i + 1]), 'of', ARGV[i + 2], 'place', bare(ARGV[i + 3]), 'end', ARGV[i + 4],
      'detail', ARGV[i + 5] }
    if ARGV[i + 6] ~= '' then
      for _, held in ipairs({ 'since', bare(ARGV[i + 6]), 'by', ARGV[i + 7] }) do
        entry[#entry + 1] = held
      end
    end
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[1], '*', unpack(entry))
    i = i + 8
  end
end
return { 'done' }

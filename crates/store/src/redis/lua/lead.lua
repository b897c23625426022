-- Makes somebody the one who sweeps, where nobody else is. Who is already stays for as long from now.
--
-- The deadline stands in the value, so it is judged by the same clock as all others; Redis forgets the key some time after.
--
-- KEYS  1 the sweeper: '<deadline> <owner>'
-- ARGV  1 now, or ''   2 owner   3 for how long   4 life of the key, ms
-- Answers
--   {'leads'}
--   {'follows'}

local now = clock(ARGV[1])
local leader = redis.call('GET', KEYS[1])
if leader then
  local deadline, owner = string.match(leader, '^(%d+) (.*)$')
  if owner ~= ARGV[2] and pad(deadline) > now then
    return { 'follows' }
  end
end
redis.call('SET', KEYS[1], bare(later(now, ARGV[3])) .. ' ' .. ARGV[2], 'PX', ARGV[4])
return { 'leads' }

-- Lets a caller through a gate, or not.
--
-- KEYS  1 all gates: a hash   2 this gate's entries that count against the account's limit: sorted names, by their instants
-- ARGV  1 now, or ''   2 the gate's field   3 how long one on trial is waited for   4 when to look again, at most
--       where entries are limited:
--       5 name of the entry   6 how many   7 in how long   8 life of the entries' key, ms
-- Answers
--   {'open'}
--   {'trial'}                go on, alone
--   {'closed', until, why}   'limited' or 'down'

local now = clock(ARGV[1])
local gate = load_gate(KEYS[1], ARGV[2])
if gate.is_closed then
  if gate.opens > now then
    return { 'closed', gate.opens, gate.why }
  end
  if gate.trial > now then
    local again = later(now, ARGV[4])
    return { 'closed', gate.trial < again and gate.trial or again, gate.why }
  end
end
local name, count, per = ARGV[5], ARGV[6], ARGV[7]
if name then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', between(per, now))
  if not redis.call('ZSCORE', KEYS[2], name) then
    if redis.call('ZCARD', KEYS[2]) >= tonumber(count) then
      local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
      return { 'closed', later(string.format('%020.0f', tonumber(oldest[2])), per), 'limited' }
    end
    redis.call('ZADD', KEYS[2], now, name)
    redis.call('PEXPIRE', KEYS[2], ARGV[8])
  end
  -- It is listed from its first entry on, also where it was never closed.
  save_gate(KEYS[1], ARGV[2], gate)
end
if not gate.is_closed then
  return { 'open' }
end
gate.trial = later(now, ARGV[3])
save_gate(KEYS[1], ARGV[2], gate)
return { 'trial' }

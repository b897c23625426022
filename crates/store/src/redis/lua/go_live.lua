-- Writes down what goes live and when it expires, and renews the lease.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 owner   3 fence   4 revision   5 the field that would condemn this deployment,
--         its first letter and the id
--       6 life of a record with nothing live, ms   7 life of the lease   8 expiry
--       9… fields and values of what goes live, names beginning with l
-- Answers
--   {'unreadable', version}
--   {'recorded', now, alias}
--   {'ended', place}      an end at or above the revision was accepted, or something newer is live; the newest event's place
--   {'condemned'}
--   {'lost'}

local now = clock(ARGV[1])
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
local refused = refusal(record, ARGV[2], ARGV[3], ARGV[4], ARGV[5], now)
if refused then
  return refused
end
local changes = changes_of(KEYS[1], record)
changes:clear('l')
changes:clear('b')
changes:put_all(ARGV, 9)
changes:drop('n')
changes:drop('j' .. string.sub(ARGV[5], 2))
changes:expire(ARGV[8], now)
prolong(changes, now, ARGV[7])
changes:save(ARGV[6])
return { 'recorded', now, record.a }

-- Writes down the deployment that works on the lease's revision.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 owner   3 fence   4 revision   5 the field that would condemn this deployment
--       6 life of a record with nothing live, ms   7… fields and values of the deployment, names beginning with b
-- Answers
--   {'unreadable', version}
--   {'recorded'}
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
changes:clear('b')
changes:put_all(ARGV, 7)
changes:drop('n')
changes:save(ARGV[6])
return { 'recorded' }

-- Prolongs a lease.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 owner   3 fence   4 life of the lease   5 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'renewed', place of the newest event, floor or ''}
--   {'lost'}

local now = clock(ARGV[1])
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if not is_held_by(record, ARGV[2], ARGV[3], now) then
  return { 'lost' }
end
local changes = changes_of(KEYS[1], record)
prolong(changes, now, ARGV[4])
changes:save(ARGV[5])
return { 'renewed', pad(record.d, 21), record.z and pad(record.z) or '' }

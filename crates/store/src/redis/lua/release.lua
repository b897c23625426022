-- Gives a lease back, nothing decided. One that is lost is left alone.
--
-- KEYS  1 the record
-- ARGV  1 channel of notices   2 the context's name   3 owner   4 fence   5 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'released'}
--   {'lost'}

local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if not record or record.o ~= ARGV[3] or pad(record.f) ~= ARGV[4] then
  return { 'lost' }
end
local changes = changes_of(KEYS[1], record)
changes:release()
changes:save(ARGV[5])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return { 'released' }

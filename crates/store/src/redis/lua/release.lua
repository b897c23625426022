-- Gives a lease back, nothing decided. One that is lost is left alone; one that ran out may be given back.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 owner   5 fence
--       6 life of a record with nothing live, ms   7… fields and values of what the event waits for, names beginning with q;
--       none where somebody else goes on
-- Answers
--   {'unreadable', version}
--   {'released', now, alias, since when the lease was held}
--   {'lost'}

local now = clock(ARGV[1])
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if not record or record.o ~= ARGV[4] or pad(record.f) ~= ARGV[5] then
  return { 'lost' }
end
local since = pad(record.s)
local changes = changes_of(KEYS[1], record)
changes:release()
if #ARGV > 6 then
  changes:clear('q')
  changes:put_all(ARGV, 7)
  changes:put('qs', bare(now))
end
changes:save(ARGV[6])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return { 'released', now, record.a, since }

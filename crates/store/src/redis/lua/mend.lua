-- Notes that what the record has as live is gone at its provider.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 the deployment, packed as in the record   3 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'mended', now, alias}
--   {'nothing'}            another is live, or somebody holds the lease and sees for themselves

local now = clock(ARGV[1])
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if not record or is_leased(record, now) or not record.lr or word(record, 'ld') ~= ARGV[2] then
  return { 'nothing' }
end
local changes = changes_of(KEYS[1], record)
changes:clear('l')
changes:drop('e')
changes:save(ARGV[3])
return { 'mended', now, record.a }

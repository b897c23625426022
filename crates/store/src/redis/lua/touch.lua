-- Prolongs a live preview's retention, never shortening it.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 life from now, or '' for its own   3 the same in whole seconds, or ''
--       4 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'nothing'}                                          there is nothing to prolong, or its end was accepted
--   {'prolonged', now, alias, expiry, 'live' or ''}

local now = clock(ARGV[1])
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if not record or not record.e or (record.lr and is_ended(record, pad(record.lr))) then
  return { 'nothing' }
end
local ttl, seconds = ARGV[2], ARGV[3]
if ttl == '' then
  if not record.y then
    return { 'nothing' }
  end
  seconds = record.y
  ttl = #seconds > 13 and LAST or pad(seconds .. '000000')
end
local expiry = later(now, ttl)
if expiry < pad(record.e) then
  expiry = pad(record.e)
end
local changes = changes_of(KEYS[1], record)
changes:put('e', bare(expiry))
changes:put('y', seconds)
changes:save(ARGV[4])
return { 'prolonged', now, record.a, expiry, record.lr and 'live' or '' }

-- Accepts that the live preview's retention is over, as an end, and claims the context for it; only while that is so. Anything
-- else changes nothing.
--
-- KEYS  1 the record   2 the end of an end of this revision   3 the end of the update of this revision
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 place of an end of the revision (21 digits)   5 digest
--       6 owner   7 life of the lease   8 life of a record with nothing live, ms   9 for how long ends are kept
-- Answers
--   {'unreadable', version}
--   {'over', the end as stored}        such an end ended before; whether its content was the same is for the caller to see
--   {'moot'}                           something newer, a touch or a new preview came first
--   {'held', until}
--   {'granted', fence, field, value …} with the record

local now = clock(ARGV[1])
local place, digest, owner, ttl = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local revision = string.sub(place, 1, 20)
local record = load(KEYS[1])
local over = redis.call('GET', KEYS[2])
if counts(over, record and record.rf) then
  return { 'over', over }
end
if not record then
  return { 'moot' }
end
if record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end

-- Whether nothing that was accepted may still change what is live: an update that is on its way keeps it.
local function is_settled()
  return pad(record.lr) == revision
    or counts(redis.call('GET', KEYS[3]), record.rf)
    or later(pad(record.t), ARGV[9]) <= now
end

local function is_due()
  return pad(record.d, 21) == revision .. '0'
    and record.lr and not is_ended(record, pad(record.lr))
    and record.e and pad(record.e) <= now
    and not is_leased(record, now)
    and is_settled()
end

-- Accepted before, and whoever carried it out did not come to its end.
local function is_begun()
  return record.ke and pad(record.ke) == revision and pad(record.d, 21) == place
end

local changes = changes_of(KEYS[1], record)
local is_newer = is_due()
if is_newer then
  changes:put('ke', bare(revision))
  changes:put('kl', record.lr)
  accept(changes, place, digest, now)
  is_wanted(changes, place, now)
elseif not is_begun() then
  return { 'moot' }
end
local held = is_held(changes, now)
local answer = hold_or_grant(changes, held, place, digest, owner, ttl, now)
if changes:any() then
  changes:save(ARGV[8])
end
if is_newer then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return with_record(answer, record)

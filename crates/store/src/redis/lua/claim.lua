-- Accepts an event and claims its context, creating the record where there is none.
--
-- KEYS  1 the record   2 the end of this very event
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 place of the event (21 digits)   5 digest
--       6 alias   7 owner   8 life of the lease   9 life of a record with nothing live, ms
--       10 how often the event was replayed from the dead letters
-- Answers
--   {'unreadable', version}
--   {'over', the end as stored}        this event ended before; whether its content was the same is for the caller to see
--   {'stale', place}                   something newer was accepted
--   {'conflict'}                       accepted before with other content
--   {'held', until}
--   {'granted', fence, field, value …} with the record

local over = redis.call('GET', KEYS[2])
if over and counts(over, redis.call('HGET', KEYS[1], 'rf')) and not is_reopened(over, ARGV[5], ARGV[10]) then
  return { 'over', over }
end
local now = clock(ARGV[1])
local place, digest, owner, ttl = ARGV[4], ARGV[5], ARGV[7], ARGV[8]
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
local is_newer = not record
local changes = changes_of(KEYS[1], record or {})
record = changes.record
if is_newer then
  begin(changes, ARGV[6], place, digest, now)
end
local held = is_held(changes, now)
is_newer = accept(changes, place, digest, now) or is_newer
local is_replayed = ARGV[10] ~= '0' and place == pad(record.d, 21) and string.sub(place, 21) == '0'
if is_newer or is_replayed then
  is_wanted(changes, place, now)
end

local function decide()
  if place < pad(record.d, 21) then
    if held and pad(record.w, 21) == place then
      if record.g ~= digest then
        return { 'conflict' }
      end
      return { 'held', pad(record.u) }
    end
    return { 'stale', pad(record.d, 21) }
  end
  if record.h == '' then
    -- Known from a provider's tags alone, which say nothing of its content.
    changes:put('h', digest)
  end
  if record.h ~= digest then
    return { 'conflict' }
  end
  return hold_or_grant(changes, held, place, digest, owner, ttl, now)
end

local answer = decide()
if changes:any() then
  changes:save(ARGV[9])
end
if is_newer then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return with_record(answer, record)

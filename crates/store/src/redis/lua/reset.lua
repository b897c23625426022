-- Accepts that the context is to be forgotten, above everything, and claims it for that; once for each reset.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 place of an end of the greatest revision   5 digest
--       6 alias   7 owner   8 life of the lease   9 life of a record with nothing live, ms   10 the reset's id
-- Answers
--   {'unreadable', version}
--   {'reset', when, revisions}         this very reset is done, or another after it was asked for; what it took away, with commas
--                                      between, or '-'
--   {'held', until}
--   {'granted', fence, field, value …} with the record

local now = clock(ARGV[1])
local place, digest, id = ARGV[4], ARGV[5], ARGV[10]
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
-- An id that begins with 20 digits says when it was asked for, in microseconds: a reset that ended later has done it.
local asked = #(string.match(id, '^(%d+)%-') or '') == 20 and tonumber(string.sub(id, 1, 20))
if record and record.ri and (record.ri == id or (asked and asked <= tonumber(record.rt))) then
  return { 'reset', pad(record.rt), record.rg or record.rl or '-' }
end
local is_newer = not record
local changes = changes_of(KEYS[1], record or {})
record = changes.record
if is_newer then
  begin(changes, ARGV[6], place, digest, now)
end
local held = is_held(changes, now)
-- Of two at once, the one that came first is finished by whoever is granted the context.
if not record.pi then
  changes:put('pi', id)
  if record.lr then
    changes:put('pl', record.lr)
  end
end
is_newer = accept(changes, place, digest, now) or is_newer
if is_newer then
  is_wanted(changes, place, now)
end
local answer = hold_or_grant(changes, held, place, digest, ARGV[7], ARGV[8], now)
if changes:any() then
  changes:save(ARGV[9])
end
if is_newer then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return with_record(answer, record)

-- Accepts an event and claims its context, creating the record where there is none.
--
-- KEYS  1 the record   2 the end of this very event
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 place of the event (21 digits)   5 digest
--       6 alias   7 owner   8 life of the lease   9 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'over', the end as stored}        this event ended before; whether its content was the same is for the caller to see
--   {'stale', place}                   something newer was accepted
--   {'conflict'}                       accepted before with other content
--   {'held', until}
--   {'granted', fence, field, value …} with the record

local over = redis.call('GET', KEYS[2])
if over then
  return { 'over', over }
end
local now = clock(ARGV[1])
local place, digest, owner, ttl = ARGV[4], ARGV[5], ARGV[7], ARGV[8]
local record = load(KEYS[1])
local is_newer = false
local changes
if record then
  if record.v ~= VERSION then
    return { 'unreadable', record.v or '' }
  end
  changes = changes_of(KEYS[1], record)
else
  is_newer = true
  record = {}
  changes = changes_of(KEYS[1], record)
  changes:put('v', VERSION)
  changes:put('a', ARGV[6])
  changes:put('d', bare(place))
  changes:put('h', digest)
  changes:put('t', bare(now))
  changes:put('f', '0')
  -- Nobody has written under its fence yet: where the store forgot things, providers may know more.
  changes:put('n', '1')
end
local held = is_leased(record, now)
if not held then
  -- Once seen as run out it is gone for good, also where the clock is set back afterwards.
  changes:release()
end
local is_end = string.sub(place, 21) == '1'

if is_end then
  local revision = string.sub(place, 1, 20)
  if not is_ended(record, revision) then
    changes:put('z', bare(revision))
  end
end
if place > pad(record.d, 21) then
  is_newer = true
  changes:put('d', bare(place))
  changes:put('h', digest)
  changes:put('t', bare(now))
end
if is_newer and is_end then
  -- Nothing is to be shown, so nothing is stale.
  changes:drop('i')
elseif is_newer and not record.i then
  changes:put('i', bare(now))
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
  if held then
    if record.o ~= owner then
      return { 'held', pad(record.u) }
    end
    -- Granted before, and the answer was lost on its way.
    prolong(changes, now, ttl)
    return { 'granted' }
  end
  -- Above every earlier fence, also above those of a record that was lost: the clock had passed them.
  local fence = plus(pad(record.f), ONE)
  changes:put('f', bare(fence > now and fence or now))
  changes:put('o', owner)
  changes:put('w', bare(place))
  changes:put('g', digest)
  changes:put('s', bare(now))
  changes:put('u', bare(later(now, ttl)))
  changes:clear('q')
  return { 'granted' }
end

local answer = decide()
if changes:any() then
  changes:save(ARGV[9])
end
if is_newer then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
if answer[1] == 'granted' then
  answer[2] = pad(record.f)
  for field, value in pairs(record) do
    answer[#answer + 1] = field
    answer[#answer + 1] = value
  end
end
return answer

-- Stands in front of every script.
--
-- Revisions, fences and times (microseconds since 1970) come and go as decimal text with leading zeros to 20 digits, an
-- event's place in its context's order as 21 (its revision, then 0 for an update and 1 for an end): text compares as the
-- numbers do, and no digit is lost. Lua's own numbers are doubles, exact below 2^53 (as microseconds: the year 2255), so
-- sums are made of two halves of ten digits each. In a hash numbers are stored bare, which Redis keeps in 9 bytes.

local VERSION = '1'
local ZERO = '00000000000000000000'
local ONE = '00000000000000000001'
local GREATEST = '000090071992547409911' -- the place of an end of the greatest revision
local LAST = '00253402207200000000' -- the last instant there is

local function pad(text, width)
  return string.rep('0', (width or 20) - #text) .. text
end

local function bare(text)
  return (string.gsub(text, '^0+(%d)', '%1'))
end

local function plus(a, b)
  local low = tonumber(string.sub(a, 11)) + tonumber(string.sub(b, 11))
  local high = tonumber(string.sub(a, 1, 10)) + tonumber(string.sub(b, 1, 10))
  if low >= 1e10 then
    low, high = low - 1e10, high + 1
  end
  return string.format('%010.0f%010.0f', high, low)
end

local function later(at, span)
  local sum = plus(at, span)
  return sum > LAST and LAST or sum
end

-- The time from one instant to another; none where the other is earlier.
local function between(earlier, at)
  if at <= earlier then
    return ZERO
  end
  local low = tonumber(string.sub(at, 11)) - tonumber(string.sub(earlier, 11))
  local high = tonumber(string.sub(at, 1, 10)) - tonumber(string.sub(earlier, 1, 10))
  if low < 0 then
    low, high = low + 1e10, high - 1
  end
  return string.format('%010.0f%010.0f', high, low)
end

-- The server's clock, or what a test gives instead of it.
local function clock(given)
  if given ~= '' then
    return given
  end
  local time = redis.call('TIME')
  return pad(time[1] .. pad(time[2], 6))
end

local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then
    return nil
  end
  local record = {}
  for i = 1, #flat, 2 do
    record[flat[i]] = flat[i + 1]
  end
  return record
end

-- A word that may go on in further fields, as it was packed.
local function word(record, name)
  local pieces = { record[name] }
  while record[name .. '.' .. #pieces] do
    pieces[#pieces + 1] = record[name .. '.' .. #pieces]
  end
  return table.concat(pieces)
end

-- Changes of a record: made on the table at once, and on the hash by save(). Of a field the last change counts.
local Changes = {}
Changes.__index = Changes

local function changes_of(key, record)
  return setmetatable({ key = key, record = record, touched = {} }, Changes)
end

function Changes:put(field, value)
  self.record[field] = value
  self.touched[field] = true
end

-- Fields and values, from the first of these on.
function Changes:put_all(words, first)
  for i = first, #words, 2 do
    self:put(words[i], words[i + 1])
  end
end

function Changes:drop(field)
  if self.record[field] then
    self.record[field] = nil
    self.touched[field] = true
  end
end

function Changes:fields()
  local fields = {}
  for field in pairs(self.record) do
    fields[#fields + 1] = field
  end
  return fields
end

-- Removes every field whose name begins with the letter.
function Changes:clear(letter)
  for _, field in ipairs(self:fields()) do
    if string.sub(field, 1, 1) == letter then
      self:drop(field)
    end
  end
end

function Changes:release()
  for _, field in ipairs({ 'o', 'w', 'g', 's', 'u' }) do
    self:drop(field)
  end
end

function Changes:any()
  return next(self.touched) ~= nil
end

-- What expires at an instant lives so many whole seconds from now: rounded up, for a moment has passed since.
function Changes:expire(at, now)
  self:put('e', bare(at))
  local seconds = bare(string.sub(plus(between(now, at), pad('999000')), 1, 14))
  self:put('y', seconds == '0' and '1' or seconds)
end

-- A record with something live stays; any other goes when nobody has changed it for so many milliseconds.
function Changes:save(keep_ms)
  local set, gone = {}, {}
  for field in pairs(self.touched) do
    local value = self.record[field]
    if value then
      set[#set + 1] = field
      set[#set + 1] = value
    else
      gone[#gone + 1] = field
    end
  end
  if #gone > 0 then
    redis.call('HDEL', self.key, unpack(gone))
  end
  if #set > 0 then
    redis.call('HSET', self.key, unpack(set))
  end
  if self.record.lr then
    redis.call('PERSIST', self.key)
  else
    redis.call('PEXPIRE', self.key, keep_ms)
  end
end

-- One that ran out is lost, also where nobody took over.
local function is_held_by(record, owner, fence, now)
  return record and record.u and record.o == owner and pad(record.f) == fence and pad(record.u) > now
end

-- Renews a lease that is held.
local function prolong(changes, now, ttl)
  local ends = later(now, ttl)
  if ends > pad(changes.record.u) then
    changes:put('u', bare(ends))
  end
end

local function is_leased(record, now)
  return record.u and pad(record.u) > now
end

local function is_ended(record, revision)
  return record.z and revision <= pad(record.z)
end

-- Whether what is stored of how an event ended counts. What was settled before the context's last reset is forgotten: a script
-- can't find it to delete it, so whatever is settled after one names that reset's fence.
local function counts(over, reset_fence)
  return over and (not reset_fence or string.match(over, '^[23] %d+ (%S+) ') == reset_fence)
end

-- Whether an event that ended so is taken up anew, where it was replayed from the dead letters so often: only a failure of an
-- earlier life is, of the same content.
local function is_reopened(over, digest, replay)
  local life, length, from = '0', string.match(over, '^1 %d+ %S+ (%d+) ()')
  if not length then
    length, from = string.match(over, '^2 %d+ %S+ %S+ (%d+) ()')
  end
  if not length then
    life, length, from = string.match(over, '^3 %d+ %S+ (%d+) %S+ (%d+) ()')
  end
  if not length or tonumber(replay) <= tonumber(life) then
    return false
  end
  local json = from + tonumber(length)
  local failed = '{"kind":"failed",'
  return string.sub(over, from, json - 1) == digest and string.sub(over, json, json + #failed - 1) == failed
end

-- Makes a record of a first event. Nobody has written under its fence yet: where the store forgot things, providers may know
-- more.
local function begin(changes, alias, place, digest, now)
  changes:put('v', VERSION)
  changes:put('a', alias)
  changes:put('d', bare(place))
  changes:put('h', digest)
  changes:put('t', bare(now))
  changes:put('f', '0')
  changes:put('n', '1')
end

-- Raises what the context should show, where this is newer, which it answers; an end raises the floor too, also where it comes
-- late.
local function accept(changes, place, digest, now)
  local record = changes.record
  local revision = string.sub(place, 1, 20)
  if string.sub(place, 21) == '1' and not is_ended(record, revision) then
    changes:put('z', bare(revision))
  end
  local is_newer = place > pad(record.d, 21)
  if is_newer then
    changes:put('d', bare(place))
    changes:put('h', digest)
    changes:put('t', bare(now))
  end
  return is_newer
end

-- Since when the context is stale, once something newer is wanted.
local function is_wanted(changes, place, now)
  if string.sub(place, 21) == '1' then
    -- Nothing is to be shown, so nothing is stale.
    changes:drop('i')
  elseif not changes.record.i then
    changes:put('i', bare(now))
  end
end

-- Whether the context is held. A lease that was once seen as run out is gone for good, also where the clock is set back
-- afterwards.
local function is_held(changes, now)
  local held = is_leased(changes.record, now)
  if not held then
    changes:release()
  end
  return held
end

-- Grants the event its lease, unless another delivery has one.
local function hold_or_grant(changes, held, place, digest, owner, ttl, now)
  local record = changes.record
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

-- A grant goes with its fence and the record.
local function with_record(answer, record)
  if answer[1] == 'granted' then
    answer[2] = pad(record.f)
    for field, value in pairs(record) do
      answer[#answer + 1] = field
      answer[#answer + 1] = value
    end
  end
  return answer
end

-- Whether something newer is live: learnt from a provider's tags, after this revision was let in.
local function is_shown_newer(record, revision)
  return record.lr and pad(record.lr) > revision and string.sub(pad(record.d, 21), 1, 20) > revision
end

-- Whether a deployment may be written down; nil where it may, else the answer.
local function refusal(record, owner, fence, revision, condemned, now)
  if not is_held_by(record, owner, fence, now) then
    return { 'lost' }
  end
  if is_ended(record, revision) or is_shown_newer(record, revision) then
    return { 'ended', pad(record.d, 21) }
  end
  if record[condemned] then
    return { 'condemned' }
  end
  return nil
end

-- A set goes a day after its last member's deadline, so tenants that are gone leave nothing.
local function keep_set(key, now)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  if last[2] then
    local left_ms = math.max(0, (tonumber(last[2]) - tonumber(now)) / 1000)
    redis.call('PEXPIRE', key, string.format('%.0f', left_ms + 86400000))
  end
end

-- In a gate's place for what there is none of. It compares below every instant.
local NONE = '-'

-- A gate: until when it is closed, why, failures in a row, closings in a row, until when somebody is on trial. One that can't
-- be read counts as open, as one that is missing.
local function load_gate(key, field)
  local stored = redis.call('HGET', key, field)
  local opens, why, failures, closings, trial =
    string.match(stored or '', '^' .. VERSION .. ' (%S+) (%S+) (%d+) (%d+) (%S+)$')
  return {
    stored = stored,
    is_closed = opens ~= nil and opens ~= NONE,
    opens = opens or NONE,
    why = why or NONE,
    failures = tonumber(failures or '0'),
    closings = tonumber(closings or '0'),
    trial = trial or NONE,
  }
end

-- Writes nothing where nothing has changed.
local function save_gate(key, field, gate)
  local numbers = string.format('%.0f %.0f', gate.failures, gate.closings)
  local stored = table.concat({ VERSION, gate.opens, gate.why, numbers, gate.trial }, ' ')
  if stored ~= gate.stored then
    redis.call('HSET', key, field, stored)
    gate.stored = stored
  end
end

-- Decides over a deployment that the context's record may not name. What nobody can want any more is condemned in the same
-- step: from then on it is neither adopted nor goes live, so whoever asked may delete it.
--
-- KEYS  1 the record   2 the end of the update of its revision   3 what is announced, see settle.lua
-- ARGV  1 now, or ''   2 the deployment   3 the same, packed as in the record   4 its revision
--       5 whether what the record has as live was listed too: '1' or ''   6 how long one that nobody claims may stay
--       7 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'known'}          the record names it, or its lease's holder works on it
--   {'adopted'}        its event may still come, or it is kept, or the context is not known
--   {'condemned'}      it is to be deleted

local now = clock(ARGV[1])
local id, packed, revision = ARGV[2], ARGV[3], ARGV[4]
local record = load(KEYS[1])
if not record then
  return { 'adopted' }
end
if record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if record.lr and word(record, 'ld') == packed then
  return { 'known' }
end
if is_leased(record, now) and record.bp and word(record, 'bd') == packed then
  return { 'known' }
end
if record['x' .. id] then
  -- Condemned before, and whoever did that did not get to delete it.
  return { 'condemned' }
end

local is_kept = false
if not is_ended(record, revision) then
  local announced = redis.call('HGETALL', KEYS[3])
  for i = 2, #announced, 2 do
    is_kept = is_kept or string.match(announced[i], '^%d+ (.*)$') == id
  end
end
if is_kept then
  return { 'adopted' }
end
local until_then = record['j' .. id]
local is_behind = record.lr
  and (revision < pad(record.lr) or (revision == pad(record.lr) and ARGV[5] ~= ''))
-- Superseded is not remembered, and needs no memory: whoever asks for what was passed is told so from now on.
local update = revision .. '0'
local is_passed = update < pad(record.d, 21) and not (is_leased(record, now) and pad(record.w, 21) == update)
local is_overdue = until_then and pad(until_then) <= now
local changes = changes_of(KEYS[1], record)
local verdict
local has_ended = counts(redis.call('GET', KEYS[2]), record.rf)
if is_behind or is_passed or is_overdue or is_ended(record, revision) or has_ended then
  changes:drop('j' .. id)
  changes:put('x' .. id, '')
  verdict = 'condemned'
else
  if not until_then then
    changes:put('j' .. id, bare(ARGV[6]))
  end
  verdict = 'adopted'
end
-- Looked at and nothing changed, it gets no longer life: else what is swept for ever would be kept for ever.
if changes:any() then
  changes:save(ARGV[7])
end
return { verdict }

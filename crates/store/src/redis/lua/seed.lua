-- Merges in what the providers' tags tell of a context, creating the record where there is none. It only raises: what the
-- record knows already, or has ended, stays.
--
-- KEYS  1 the record
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 alias   5 the newest revision that a tag names, or ''
--       6 life of a record with nothing live, ms   7 revision of the newest deployment that serves, or ''
--       8 the field that would condemn it   9 when it expires   10… its fields and values, names beginning with l
-- Answers
--   {'unreadable', version}
--   {'seeded', now, expiry of what is live, or ''}

local now = clock(ARGV[1])
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
local newest, served = ARGV[5], ARGV[7]
local is_newer = false
if newest ~= '' or record then
  local changes = changes_of(KEYS[1], record or {})
  if not record then
    record = changes.record
    changes:put('v', VERSION)
    changes:put('a', ARGV[4])
    changes:put('f', '0')
  end
  changes:drop('n')
  if newest ~= '' and (not record.d or newest .. '0' > pad(record.d, 21)) then
    is_newer = true
    changes:put('d', bare(newest .. '0'))
    changes:put('h', '')
    changes:put('t', bare(now))
  end
  if newest ~= '' and served ~= '' and (not record.lr or pad(record.lr) < served)
    and not is_ended(record, served) and not record[ARGV[8]] then
    changes:clear('l')
    changes:put_all(ARGV, 10)
    changes:expire(ARGV[9], now)
  end
  if changes:any() then
    changes:save(ARGV[6])
  end
end
if is_newer then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return { 'seeded', now, record and record.lr and record.e and pad(record.e) or '' }

-- Ends the lease's event: the record, how it ended, and what is announced, in one step.
--
-- KEYS  1 the record   2 the end of this very event   3 what is announced: a hash of revisions, each with the instant of
--       its announcement and the deployment that serves it, as '<instant> <deployment>'
-- ARGV  1 now, or ''   2 channel of notices   3 the context's name   4 owner   5 fence   6 revision
--       7 ready, failed, removed, reset or superseded   8 expiry, or ''   9 how long ends are kept, ms   10 the outcome, as JSON
--       11 the deployment that is ready, or ''   12 how long its build took, ms, or ''
--       13 whether its build was cancelled for something newer: '1' or ''   14 how often the event was replayed
--       15… deployments that were kept
-- Answers
--   {'unreadable', version}
--   {'lost'}                                            no such lease, also where this settlement was made before; or no
--                                                       reset to settle
--   {'settled', now, alias, since when the lease was held, expiry or '', revisions}
--                                                       the announced ones that no kept deployment serves, or that an
--                                                       expiry took away, or what a reset took away; as they are
--                                                       stored: in order, with commas between, or '-'. One word, for Lua
--                                                       returns no more than some thousands of them.
--
-- Of what stays announced the newest SHOWN revisions are kept; nobody is told when an older one is replaced.

local SHOWN = 1000

local now = clock(ARGV[1])
local revision, kind, keep_ms = ARGV[6], ARGV[7], ARGV[9]
local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if not is_held_by(record, ARGV[4], ARGV[5], now) then
  return { 'lost' }
end
local digest, since, worked_on = record.g, pad(record.s), pad(record.w, 21)
local changes = changes_of(KEYS[1], record)

-- Whether an announcement is as old as an end that is forgotten: nobody is told of it any more.
local function is_old(at)
  return plus(pad(at), pad(keep_ms .. '000')) < now
end

if kind == 'reset' then
  if worked_on ~= GREATEST or not record.pi then
    return { 'lost' }
  end
  local id, live = record.pi, record.pl
  local gone = live and { pad(live) } or {}
  local shown = redis.call('HGETALL', KEYS[3])
  for i = 1, #shown, 2 do
    if pad(shown[i]) ~= gone[1] and not is_old(string.match(shown[i + 1], '^%d+')) then
      gone[#gone + 1] = pad(shown[i])
    end
  end
  table.sort(gone)
  for _, field in ipairs(changes:fields()) do
    if field ~= 'v' and field ~= 'a' and field ~= 'f' then
      changes:drop(field)
    end
  end
  changes:put('d', '0')
  changes:put('h', '')
  changes:put('t', bare(now))
  changes:put('ri', id)
  changes:put('rt', bare(now))
  changes:put('rf', record.f)
  if live then
    changes:put('rl', live)
  end
  if #gone > (live and 1 or 0) then
    changes:put('rg', table.concat(gone, ','))
  end
  -- At once; the user of ops/redis may do no DEL.
  redis.call('PEXPIRE', KEYS[3], 0)
  changes:save(keep_ms)
  redis.call('PUBLISH', ARGV[2], ARGV[3])
  return { 'settled', now, record.a, since, '', #gone > 0 and table.concat(gone, ',') or '-' }
end

-- A build came to its end: what was cancelled before it counts no more, and the context is as fresh as can be.
if kind ~= 'superseded' then
  changes:clear('c')
  if pad(record.d, 21) > worked_on then
    changes:put('i', bare(now))
  else
    changes:drop('i')
  end
elseif ARGV[13] ~= '' then
  changes:put('cn', string.format('%.0f', tonumber(record.cn or '0') + 1))
  changes:put('ct', bare(now))
end
changes:release()
changes:clear('b')

local replaced, staying = {}, {}

if kind == 'ready' then
  -- A touch since it went live has prolonged it.
  if ARGV[8] ~= '' and (not record.e or pad(record.e) < ARGV[8]) then
    changes:expire(ARGV[8], now)
  end
  if ARGV[12] ~= '' then
    local built = tonumber(ARGV[12])
    local mean = record.m and math.floor((tonumber(record.m) * 3 + built) / 4) or built
    changes:put('m', string.format('%.0f', mean))
  end
  local kept = {}
  for i = 15, #ARGV do
    kept[ARGV[i]] = true
  end
  local shown = redis.call('HGETALL', KEYS[3])
  for i = 1, #shown, 2 do
    local at, deployment = string.match(shown[i + 1], '^(%d+) (.*)$')
    if is_old(at) or not kept[deployment] then
      redis.call('HDEL', KEYS[3], shown[i])
      if not is_old(at) then
        replaced[#replaced + 1] = pad(shown[i])
      end
    elseif pad(shown[i]) ~= revision then
      staying[#staying + 1] = pad(shown[i])
    end
  end
  table.sort(replaced)
  table.sort(staying)
  for i = 1, #staying + 1 - SHOWN do
    redis.call('HDEL', KEYS[3], bare(staying[i]))
  end
  redis.call('HSET', KEYS[3], bare(revision), bare(now) .. ' ' .. ARGV[11])
  redis.call('PEXPIRE', KEYS[3], keep_ms)
elseif kind == 'removed' then
  changes:clear('l')
  changes:drop('e')
  changes:drop('y')
  changes:clear('x')
  changes:clear('j')
  local expired = record.ke and pad(record.ke) .. '1' == worked_on and pad(record.kl)
  if expired then
    replaced[1] = expired
  end
  local shown = redis.call('HGETALL', KEYS[3])
  for i = 1, #shown, 2 do
    local announced = pad(shown[i])
    if announced <= revision then
      redis.call('HDEL', KEYS[3], shown[i])
      if expired and announced ~= expired and not is_old(string.match(shown[i + 1], '^%d+')) then
        replaced[#replaced + 1] = announced
      end
    end
  end
  table.sort(replaced)
  if record.ke and pad(record.ke) <= revision then
    changes:clear('k')
  end
end
changes:save(keep_ms)

local told = #replaced > 0 and table.concat(replaced, ',') or '-'
-- That something newer won needs no memory: an accepted order only grows.
if kind ~= 'superseded' then
  local settled = bare(now)
  local head = record.rf and '2 ' .. settled .. ' ' .. record.rf or '1 ' .. settled
  if ARGV[14] ~= '0' then
    head = table.concat({ '3', settled, record.rf or '-', ARGV[14] }, ' ')
  end
  local stored = table.concat({ head, told, #digest, digest .. ARGV[10] }, ' ')
  redis.call('SET', KEYS[2], stored, 'PX', keep_ms)
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
local expiry = record.lr and record.e and pad(record.e) or ''
return { 'settled', now, record.a, since, expiry, told }

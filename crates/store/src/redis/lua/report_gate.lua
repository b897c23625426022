-- Notes what came of a call that a gate let through.
--
-- KEYS  1 all gates: a hash
-- ARGV  1 now, or ''   2 the gate's field   3 answered, limited or down
--       4 whether it was let through alone: '1' or ''   5 how long to wait, at first; of limited and down
--       6 failures in a row that close the gate   7 how long to wait at most; both of down
-- Answers
--   {'done'}

local now = clock(ARGV[1])
local what, is_trial = ARGV[3], ARGV[4] ~= ''
local gate = load_gate(KEYS[1], ARGV[2])

local function close(opens, why)
  -- A limit that is told late does not shorten one that was told before.
  if gate.why ~= why or gate.opens < opens then
    gate.opens = opens
  end
  gate.why, gate.failures, gate.trial = why, 0, NONE
end

if what == 'answered' then
  if gate.stored and (is_trial or not gate.is_closed) then
    gate.opens, gate.why, gate.failures, gate.closings, gate.trial = NONE, NONE, 0, 0, NONE
    save_gate(KEYS[1], ARGV[2], gate)
  end
  return { 'done' }
end
local wait = ARGV[5]
if what == 'limited' then
  close(later(now, wait), 'limited')
else
  gate.failures = math.min(gate.failures + 1, 4294967295)
  if is_trial or (not gate.is_closed and gate.failures >= tonumber(ARGV[6])) then
    local longest = ARGV[7]
    for _ = 1, math.min(gate.closings, 16) do
      if wait < longest then
        wait = plus(wait, wait)
      end
    end
    gate.closings = math.min(gate.closings + 1, 4294967295)
    close(later(now, wait < longest and wait or longest), 'down')
  end
end
save_gate(KEYS[1], ARGV[2], gate)
return { 'done' }

-- A condemned deployment is gone at its provider: nobody can adopt it any more.
--
-- KEYS  1 the record
-- ARGV  1 the field that condemns it   2 the field that says how long it may stay   3 life of a record with nothing live, ms
-- Answers
--   {'unreadable', version}
--   {'done'}

local record = load(KEYS[1])
if record and record.v ~= VERSION then
  return { 'unreadable', record.v or '' }
end
if record then
  local changes = changes_of(KEYS[1], record)
  changes:drop(ARGV[1])
  changes:drop(ARGV[2])
  if changes:any() then
    changes:save(ARGV[3])
  end
end
return { 'done' }

--[[
  Places tracked jobs, all or none, if the proof holds; see `placing.lua`, which is put in front.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  ARGV[1]   epoch, ARGV[2] holder: the proof
  KEYS[2..], ARGV[3..]    what `planPlacing` is given

  Reply: { 'Placed' }, { 'Fenced' }, or { 'OtherParent', id of the first job that is the child of another flow }.
]]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return { 'Fenced' } end
local plan, foreign = planPlacing(KEYS, 2, ARGV, 3)
if not plan then return { 'OtherParent', foreign } end
placePlanned(plan)
return { 'Placed' }

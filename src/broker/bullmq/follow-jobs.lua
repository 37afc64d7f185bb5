--[[
  Gives jobs of job schedulers a done job each, in which their end will arrive, if the proof holds; `placing.lua` and `job-scheduler.lua` are put in
  front. A job that has ended, or is not there, gets none. The done job of a job that somebody removed says so.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2..], ARGV[3..]    what `planPlacing` is given
  ARGV[1]   epoch, ARGV[2] holder: the proof

  Reply: 'Done', 'Fenced' or 'OtherParent'.
]]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 'Fenced' end
local keys, args = { KEYS[2] }, { ARGV[3], ARGV[4] }
for i = 3, #KEYS, 2 do
  local doneBase, base, at = KEYS[i], KEYS[i + 1], 5 + (i - 3) / 2 * 9
  local id = ARGV[at]
  local state = whereIs(base, id)
  if state == 'Absent' then
    if redis.call('ZREM', doneBase .. 'waiting-children', id) == 1 then
      -- As BullMQ does it when it removes a job whose end is waited for.
      redis.call('RPUSH', doneBase .. 'wait', id)
      redis.call('DEL', doneBase .. id .. ':dependencies')
      redis.call('XADD', doneBase .. 'events', 'MAXLEN', '~', 200, '*', 'event', 'waiting', 'jobId', id, 'prev', 'waiting-children')
    end
  elseif state ~= 'Ended' then
    keys[#keys + 1] = doneBase
    keys[#keys + 1] = base
    for j = 0, 8 do args[#args + 1] = ARGV[at + j] end
  end
end
local plan = planPlacing(keys, 1, args, 1)
if not plan then return 'OtherParent' end
placePlanned(plan)
return 'Done'

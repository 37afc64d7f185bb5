--[[
  Looks where placed jobs are. Writes nothing.

  KEYS      for each job: base of its done queue, base of its queue ('<prefix>:<queue>:'); at most 50 jobs
  ARGV[i]   id of both jobs

  Reply: for each job its state, 'Waiting', 'Active', 'Ended' or 'Absent', when its last attempt began in ms, or '', and whether its queue is
  paused, 1 or 0.
]]
local reply = {}
for i, id in ipairs(ARGV) do
  local doneBase, base = KEYS[2 * i - 1], KEYS[2 * i]
  local job = base .. id
  local state
  if redis.call('EXISTS', job) == 0 or redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id) then
    -- Its end is in the done queue, or was acknowledged or removed: then the job itself is gone or a tombstone.
    state = redis.call('EXISTS', doneBase .. id) == 1 and 'Ended' or 'Absent'
  elseif redis.call('EXISTS', job .. ':lock') == 1 or redis.call('LPOS', base .. 'active', id) then
    state = 'Active'
  else
    state = 'Waiting'
  end
  reply[3 * i - 2] = state
  reply[3 * i - 1] = redis.call('HGET', job, 'processedOn') or ''
  reply[3 * i] = redis.call('HEXISTS', base .. 'meta', 'paused')
end
return reply

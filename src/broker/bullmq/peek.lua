--[[
  Looks which queues have a job that could be taken now, without taking one. Writes nothing.

  KEYS[i]   base of a queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV[1]   the worker's time in ms: BullMQ promotes delayed jobs by it

  Reply: for each queue, 1 if it has a job else 0, then when its next delayed job is due in ms or 0.
  A queue that is paused, or at its own limit of running jobs, has none.
]]
local dueScore = string.format('%.0f', (tonumber(ARGV[1]) + 1) * 4096 - 1)
local reply = {}
for i, base in ipairs(KEYS) do
  local hasJob, nextDueMs = 0, 0
  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  local isMaxed = meta[2] and redis.call('LLEN', base .. 'active') >= tonumber(meta[2])
  if not meta[1] and not isMaxed then
    local delayed = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
    if delayed[2] then nextDueMs = math.floor(tonumber(delayed[2]) / 4096) end
    if redis.call('LLEN', base .. 'wait') > 0 or redis.call('ZCARD', base .. 'prioritized') > 0
      or redis.call('ZCOUNT', base .. 'delayed', '-inf', dueScore) > 0 then
      hasJob = 1
    end
  end
  reply[#reply + 1] = hasJob
  reply[#reply + 1] = nextDueMs
end
return reply

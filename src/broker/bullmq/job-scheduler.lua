--[[
  Part of scripts that read or change job schedulers of BullMQ:
  versionOf(base, id)    what a scheduler is, in short, when its next job is due in ms, and a digest of what it does; nil: there is none. The
                         version is the same as long as nobody changes it and it has not moved on, the digest also if it has.
  whereIs(base, id)      the state of a job: 'Absent', 'Delayed', 'Waiting', 'Active' or 'Ended'
  hasBegun(job)          whether a worker has ever taken the job with that key
  dropDone(doneBase, id) removes the done job of a job that is not there any more
]]
local definition = { 'name', 'tz', 'pattern', 'every', 'offset', 'limit', 'startDate', 'endDate', 'data', 'opts' }

local function versionOf(base, id)
  local next = redis.call('ZSCORE', base .. 'repeat', id)
  if not next then return nil end
  local values = redis.call('HMGET', base .. 'repeat:' .. id, unpack(definition))
  for i = 1, #definition do values[i] = (values[i] and #values[i] or '') .. ':' .. (values[i] or '') end
  local digest = redis.sha1hex(table.concat(values))
  return string.format('%.0f', tonumber(next)) .. '/' .. digest, tonumber(next), digest
end

local function whereIs(base, id)
  local job = base .. id
  if redis.call('EXISTS', job) == 0 then return 'Absent' end
  if redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id) then return 'Ended' end
  if redis.call('EXISTS', job .. ':lock') == 1 or redis.call('LPOS', base .. 'active', id) then return 'Active' end
  return redis.call('ZSCORE', base .. 'delayed', id) and 'Delayed' or 'Waiting'
end

local function hasBegun(job)
  local ran = redis.call('HMGET', job, 'ats', 'processedOn', 'finishedOn')
  return (ran[1] or ran[2] or ran[3]) and true or false
end

local function dropDone(doneBase, id)
  local done = doneBase .. id
  redis.call('ZREM', doneBase .. 'waiting-children', id)
  redis.call('LREM', doneBase .. 'wait', 1, id)
  redis.call('DEL', done, done .. ':dependencies', done .. ':processed', done .. ':failed')
end

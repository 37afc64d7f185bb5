--[[
  Removes a job and its done job unless the job is running or has ended; also one that waits for its next attempt.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   base of the done queue, KEYS[3] base of the job's queue: '<prefix>:<queue>:'
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   id of both jobs

  Reply: 'Removed', 'Running', 'Ended', 'Absent' or 'Fenced'.
]]
local doneBase, base, id = KEYS[2], KEYS[3], ARGV[3]
local done, job = doneBase .. id, base .. id
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 'Fenced' end

if redis.call('EXISTS', job) == 0 then
  -- It was removed, or kept for no time.
  return redis.call('EXISTS', done) == 1 and 'Ended' or 'Absent'
end
if redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id) then
  -- A tombstone, when its end was acknowledged.
  return redis.call('EXISTS', done) == 1 and 'Ended' or 'Absent'
end
if redis.call('EXISTS', job .. ':lock') == 1 or redis.call('LPOS', base .. 'active', id) then return 'Running' end

local from = 'delayed'
if redis.call('ZREM', base .. 'delayed', id) == 0 then
  from = 'prioritized'
  if redis.call('ZREM', base .. 'prioritized', id) == 0 then
    from = 'waiting'
    if redis.call('LREM', base .. 'wait', 1, id) + redis.call('LREM', base .. 'paused', 1, id) == 0 then
      -- Its handler has added children and waits for them: as good as running.
      if redis.call('ZSCORE', base .. 'waiting-children', id) then return 'Running' end
    end
  end
end
redis.call('DEL', job, job .. ':logs')
redis.call('SREM', base .. 'stalled', id)
redis.call('XADD', base .. 'events', 'MAXLEN', '~', redis.call('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000, '*',
  'event', 'removed', 'jobId', id, 'prev', from)
redis.call('ZREM', doneBase .. 'waiting-children', id)
redis.call('LREM', doneBase .. 'wait', 1, id)
redis.call('DEL', done, done .. ':dependencies', done .. ':processed', done .. ':failed')
return 'Removed'

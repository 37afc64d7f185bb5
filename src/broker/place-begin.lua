--[[
  Opens the transaction that places jobs. BullMQ's own scripts, which follow, cannot be left out of it any more; a job that they must not
  add is disguised as the child of somebody else, which makes them refuse it, and its done job as one that is there. `place-end` takes the
  disguise off again, in the same transaction, so that nobody else ever sees it.

  A job is left alone when the proof does not hold; when its done job is there: it is placed already, in whatever state, or somebody
  removed it; and when it has ended and has no done job: then its end was acknowledged.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   notes for `place-end`: hash from job and done job to what there was; lives only within the transaction
  KEYS[3..] for each job: its done job, the job, its queue's completed and failed
  ARGV      epoch, holder: the proof

  Reply: 'Placed', or 'Fenced' when the proof does not hold.
]]
local record = redis.pcall('HMGET', KEYS[1], 'epoch', 'holder')
local isFenced = record.err ~= nil or record[1] ~= ARGV[1] or record[2] ~= ARGV[2]
redis.call('DEL', KEYS[2])
for i = 3, #KEYS, 4 do
  local done, job = KEYS[i], KEYS[i + 1]
  local id = string.match(job, '.*:(.*)')
  local isThere, isDoneThere = redis.call('EXISTS', job) == 1, redis.call('EXISTS', done) == 1
  if isFenced or isDoneThere or redis.call('ZSCORE', KEYS[i + 2], id) or redis.call('ZSCORE', KEYS[i + 3], id) then
    redis.call('HSET', KEYS[2], job, isThere and 'was:' .. (redis.call('HGET', job, 'parentKey') or '') or 'absent')
    redis.call('HSET', job, 'parentKey', job)
    if not isDoneThere then
      redis.call('HSET', KEYS[2], done, 'absent')
      redis.call('HSET', done, 'name', '')
    end
  else
    redis.call('HSET', KEYS[2], job, isThere and 'kept' or 'new')
  end
end
return isFenced and 'Fenced' or 'Placed'

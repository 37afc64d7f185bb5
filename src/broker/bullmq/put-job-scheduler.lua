--[[
  Creates or changes a job scheduler, with its next job and the done job that waits for its end, if the proof holds and the scheduler is as it
  was read. `placing.lua` and `job-scheduler.lua` are put in front. BullMQ's own script for this is `addJobScheduler-11.lua`, which removes the
  job that the scheduler had made, also if that is due. This one removes it only as long as it is not due and no worker has taken it: else it
  stays in the queue and runs, and makes no other.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the schedulers of schedules in the queue: hash from an id to the ledger of its owner and the digest of what is written here
  KEYS[3..] what `planPlacing` is given: the queues of the namespace, base of the done queue, base of the queue
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   id of the scheduler, ARGV[4] its version as it was read, or '' for none, ARGV[5] when its next job is due in ms
  ARGV[6]   the ledger of its owner, ARGV[7] how many fields and values its hash gets, then these
  then what `planPlacing` is given, of that job

  Reply: 'Done', 'Fenced', 'Changed' (the scheduler is another) or 'Taken' (a job of that time is there, or has ended).
]]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 'Fenced' end
local doneBase, base, id, nextMs = KEYS[4], KEYS[5], ARGV[3], ARGV[5]
local version, formerMs = versionOf(base, id)
if (version or '') ~= ARGV[4] then return 'Changed' end
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local formerId = formerMs and 'repeat:' .. id .. ':' .. string.format('%.0f', formerMs)
local isFuture = formerId and formerMs > nowMs and whereIs(base, formerId) == 'Delayed' and not hasBegun(base .. formerId)
local jobId = 'repeat:' .. id .. ':' .. nextMs
if redis.call('EXISTS', base .. jobId) == 1 and not (isFuture and jobId == formerId) then return 'Taken' end

-- Proves, before the first write, that all keys have the types that the writes need.
readQueue({}, doneBase)
readQueue({}, base)
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])

if isFuture then
  redis.call('ZREM', base .. 'delayed', formerId)
  redis.call('DEL', base .. formerId, base .. formerId .. ':logs')
  dropDone(doneBase, formerId)
  redis.call('XADD', base .. 'events', 'MAXLEN', '~', redis.call('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000, '*',
    'event', 'removed', 'jobId', formerId, 'prev', 'delayed')
end
-- What is left of a job of that time that somebody removed.
dropDone(doneBase, jobId)

local fields, count = {}, tonumber(ARGV[7])
for i = 1, count do fields[i] = ARGV[7 + i] end
local made = redis.call('HGET', base .. 'repeat:' .. id, 'ic')
redis.call('DEL', base .. 'repeat:' .. id)
redis.call('HSET', base .. 'repeat:' .. id, 'ic', made and tonumber(made) + 1 or 1, unpack(fields))
redis.call('ZADD', base .. 'repeat', nextMs, id)
redis.call('HSET', KEYS[2], id, ARGV[6] .. ' ' .. select(3, versionOf(base, id)))
placePlanned(planPlacing(KEYS, 3, ARGV, 8 + count))
redis.call('HSET', base .. jobId, 'rjk', id)
return 'Done'

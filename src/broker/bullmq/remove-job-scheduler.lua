--[[
  Removes a job scheduler, if the proof holds. Its next job goes with it as long as it is not due and no worker has taken it: else it stays in
  the queue and runs, and makes no other. `job-scheduler.lua` is put in front. BullMQ's own script is `removeJobScheduler-3.lua`, which removes a
  delayed job also if it is due, and leaves its done job behind.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   base of the done queue, KEYS[3] base of the queue: '<prefix>:<queue>:'
  KEYS[4]   the schedulers of schedules in the queue: hash from an id to its owner, which goes too
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   id of the scheduler, ARGV[4] its version as it was read, or '' for none

  Reply: { 'Fenced' }, { 'Absent' }, { 'Changed' } or { 'Removed', time in the id of its next job, what became of that: 'Removed', or where it is }.
]]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return { 'Fenced' } end
local doneBase, base, id = KEYS[2], KEYS[3], ARGV[3]
local version, nextMs = versionOf(base, id)
if (version or '') == ARGV[4] then redis.call('HDEL', KEYS[4], id) end
if not version then return { 'Absent' } end
if version ~= ARGV[4] then return { 'Changed' } end
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ms = string.format('%.0f', nextMs)
local jobId = 'repeat:' .. id .. ':' .. ms
local state = whereIs(base, jobId)

redis.call('ZREM', base .. 'repeat', id)
redis.call('DEL', base .. 'repeat:' .. id)
if state == 'Delayed' and nextMs > nowMs and not hasBegun(base .. jobId) then
  redis.call('ZREM', base .. 'delayed', jobId)
  redis.call('DEL', base .. jobId, base .. jobId .. ':logs')
  dropDone(doneBase, jobId)
  redis.call('XADD', base .. 'events', 'MAXLEN', '~', redis.call('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000, '*',
    'event', 'removed', 'jobId', jobId, 'prev', 'delayed')
  return { 'Removed', ms, 'Removed' }
end
return { 'Removed', ms, state }

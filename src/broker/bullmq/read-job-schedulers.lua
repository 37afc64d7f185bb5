--[[
  Reads job schedulers, and what became of their jobs; `job-scheduler.lua` is put in front. Writes nothing.

  KEYS      for each scheduler: base of its queue, base of the done queue of its ends ('<prefix>:<queue>:'), the schedulers of schedules in that
            queue; at most 25
  ARGV      how many bytes of a return value are read; then for each scheduler: its id, how many jobs are asked for, and for each of them the
            time in ms in its id

  Reply: the server's time in ms, then for each scheduler
    { version or '', when its next job is due in ms or '', its hash as a list of fields and values, jobs, the ledger of its owner or '', 1 if
      it is as Taskmill wrote it, else 0 }; jobs are its next job, if there is a scheduler, and then those asked for, each
    { time in its id, state, 1 if its end arrives in the done queue, else 0, and where it does not and the job is Active or Ended also:
      'Succeeded' or 'Failed', error message, return value or '' (JSON), and as far as they are kept, else '': atm, pb, processedOn, finishedOn,
      opts }
]]
local most = tonumber(ARGV[1])
local time = redis.call('TIME')
local reply = { tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) }

local function lookAt(base, doneBase, id, ms)
  local jobId = 'repeat:' .. id .. ':' .. ms
  local job, state = base .. jobId, whereIs(base, jobId)
  local isFollowed = redis.call('EXISTS', doneBase .. jobId)
  if isFollowed == 1 or (state ~= 'Active' and state ~= 'Ended') then return { ms, state, isFollowed } end
  local kept = redis.call('HMGET', job, 'processedOn', 'finishedOn', 'failedReason', 'atm', 'pb', 'opts')
  local result = redis.call('HSTRLEN', job, 'returnvalue') <= most and redis.call('HGET', job, 'returnvalue') or ''
  local outcome = redis.call('ZSCORE', base .. 'failed', jobId) and 'Failed' or 'Succeeded'
  local message = outcome == 'Failed' and string.sub(kept[3] or '', 1, 4096) or ''
  return { ms, state, 0, outcome, message, result or '', kept[4] or '', kept[5] or '', kept[1] or '', kept[2] or '', kept[6] or '' }
end

local at = 2
for i = 1, #KEYS, 3 do
  local base, doneBase, id, count = KEYS[i], KEYS[i + 1], ARGV[at], tonumber(ARGV[at + 1])
  local version, next, digest = versionOf(base, id)
  local owner, written = string.match(redis.call('HGET', KEYS[i + 2], id) or '', '^(%S+) (%S+)$')
  local jobs = {}
  if version then jobs[1] = lookAt(base, doneBase, id, string.format('%.0f', next)) end
  for j = at + 2, at + 1 + count do jobs[#jobs + 1] = lookAt(base, doneBase, id, ARGV[j]) end
  at = at + 2 + count
  reply[#reply + 1] = {
    version or '', next and string.format('%.0f', next) or '', version and redis.call('HGETALL', base .. 'repeat:' .. id) or {}, jobs,
    owner or '', digest and digest == written and 1 or 0,
  }
end
return reply

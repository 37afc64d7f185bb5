--[[
  Renews the locks of jobs that a worker runs. A lock that expired while nobody else took the job (the broker was away) is taken again.

  KEYS[1]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV[1]   for how long, in ms
  ARGV[2..] for each job: its id, the token of its lock, how often it had been started when the worker took it

  Reply: the ids of jobs that are lost: another worker's lock, or no longer active, or started again since.
]]
local base = KEYS[1]
local durationMs = ARGV[1]
local lost = {}
for i = 2, #ARGV, 3 do
  local id, token, started = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local lock = base .. id .. ':lock'
  local holder = redis.call('GET', lock)
  local isOurs = holder == token
  if not holder then
    isOurs = redis.call('HGET', base .. id, 'ats') == started and redis.call('LPOS', base .. 'active', id) ~= false
  end
  if isOurs then
    redis.call('SET', lock, token, 'PX', durationMs)
    redis.call('SREM', base .. 'stalled', id)
  else
    lost[#lost + 1] = id
  end
end
return lost

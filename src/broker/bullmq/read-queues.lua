--[[
  Reads what many queues hold, all at the same instant of the server's time. Writes nothing.

  KEYS[i]   base of a queue's keys, with the separator: '<prefix>:<queue>:' (at most 50, because it holds up everybody else)
  ARGV      none

  Reply: { timeMs, queue 1, queue 2, ... }; each queue is
    { waiting, legacy paused list, prioritized, delayed, due delayed, next due ms or -1, active, 1 if paused else 0,
      oldest ready since ms or -1, id of the last event or '0-0', failed, flow parents that wait, how many were ever added,
      global concurrency or '' }

  The layout is BullMQ's: a delayed job's score is its due time in ms * 4096 plus a counter, and BullMQ moves due jobs to
  'wait' from a running worker only, setting their 'delay' to 0. Hence the look at the options for the delay they were added with.
]]
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Since when a job can run: its time of creation plus its delay, or the start of its last attempt when that is later.
local function readySince(base, jobId)
  local job = redis.call('HMGET', base .. jobId, 'timestamp', 'processedOn', 'opts')
  local created = tonumber(job[1] or '')
  if not created then return nil end
  local delay = 0
  if job[3] then
    local isJson, opts = pcall(cjson.decode, job[3])
    if isJson and type(opts) == 'table' then delay = tonumber(opts['delay']) or 0 end
  end
  return math.max(created + delay, tonumber(job[2] or '') or 0)
end

local function earlier(a, b)
  if a and b then return math.min(a, b) end
  return a or b
end

local reply = { nowMs }
for i, base in ipairs(KEYS) do
  local dueScore = string.format('%.0f', (nowMs + 1) * 4096 - 1)
  local delayed = base .. 'delayed'
  local due = redis.call('ZCOUNT', delayed, '-inf', dueScore)
  local nextDue = redis.call('ZRANGEBYSCORE', delayed, '(' .. dueScore, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)

  local oldest = nil
  local heads = { redis.call('LINDEX', base .. 'wait', -1), redis.call('LINDEX', base .. 'paused', -1), redis.call('ZRANGE', base .. 'prioritized', 0, 0)[1] }
  for h = 1, 3 do
    if heads[h] then oldest = earlier(oldest, readySince(base, heads[h])) end
  end
  if due > 0 then
    oldest = earlier(oldest, math.floor(tonumber(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]) / 4096))
  end

  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  local lastEvent = redis.call('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)[1]
  reply[i + 1] = {
    redis.call('LLEN', base .. 'wait'),
    redis.call('LLEN', base .. 'paused'),
    redis.call('ZCARD', base .. 'prioritized'),
    redis.call('ZCARD', delayed),
    due,
    nextDue[2] and math.floor(tonumber(nextDue[2]) / 4096) or -1,
    redis.call('LLEN', base .. 'active'),
    meta[1] and 1 or 0,
    oldest or -1,
    lastEvent and lastEvent[1] or '0-0',
    redis.call('ZCARD', base .. 'failed'),
    redis.call('ZCARD', base .. 'waiting-children'),
    tonumber(redis.call('GET', base .. 'id') or '0'),
    meta[2] or '',
  }
end
return reply

--[[
  Removes a portion of the ended jobs that were placed in a queue for a namespace; and, when none is left, what BullMQ keeps about the queue,
  if there is nothing else in it, Taskmill alone has ever added jobs to it, and nobody has set anything about it. That is what adding and
  removing jobs leaves; it comes back with the next job. Where others add jobs it stays: BullMQ's counter gives them their ids, and what they
  added long ago must not be met again under the same id.

  KEYS[1]   the dispatcher's record: hash of epoch, holder, closing
  KEYS[2]   the queues of the namespace: sorted set of their bases, by when a job was last placed or settings applied
  KEYS[3]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   what the ids of its jobs begin with; those of its job schedulers are told by the ledger that their options name
  ARGV[4]   'completed' or 'failed', ARGV[5] the cursor in it; or 'leave', when nothing is left in both
  ARGV[6]   '' when the namespace leaves the broker; else only jobs go that ended before this (Unix ms), and the queue is left only if it is
            empty: else it counts as used now, which is ARGV[7]

  Reply: 'Fenced', or the next cursor, '0' at the end.
]]
local base, set, before = KEYS[3], ARGV[4], tonumber(ARGV[6])
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'closing')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or (not before and record[3] ~= '1') then return 'Fenced' end

local function isOurs(id)
  if string.sub(id, 1, #ARGV[3]) == ARGV[3] then return true end
  if string.sub(id, 1, 7) ~= 'repeat:' then return false end
  local isRead, opts = pcall(cjson.decode, redis.call('HGET', base .. id, 'opts') or '')
  local settings = isRead and type(opts) == 'table' and opts['taskmill']
  local ledger = type(settings) == 'table' and settings['ledger']
  return type(ledger) == 'string' and string.sub('tm/' .. ledger, 1, #ARGV[3]) == ARGV[3]
end

if set ~= 'leave' then
  local page = redis.call('ZSCAN', base .. set, ARGV[5], 'COUNT', 200)
  for i = 1, #page[2], 2 do
    local id, endedMs = page[2][i], tonumber(page[2][i + 1])
    if (not before or endedMs < before) and isOurs(id) then
      local job = base .. id
      redis.call('ZREM', base .. set, id)
      redis.call('DEL', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
    end
  end
  return page[1]
end

local function isEmpty()
  for _, part in ipairs({ 'wait', 'paused', 'active', 'delayed', 'prioritized', 'waiting-children', 'completed', 'failed', 'repeat' }) do
    if redis.call('EXISTS', base .. part) == 1 then return false end
  end
  return true
end

-- Another client that adds jobs counts with the same counter, and one that opens the queue to add some leaves its version.
local function isOnlyOurs()
  local meta = redis.call('HGETALL', base .. 'meta')
  local added = '0'
  for i = 1, #meta, 2 do
    if meta[i] == 'taskmill' then
      added = meta[i + 1]
    elseif meta[i] ~= 'opts.maxLenEvents' or meta[i + 1] ~= '10000' then
      return false
    end
  end
  return (redis.call('GET', base .. 'id') or '0') == added
end

local isLeft = isEmpty()
if isLeft and isOnlyOurs() then
  for _, part in ipairs({ 'meta', 'id', 'events', 'marker', 'pc', 'stalled', 'stalled-check' }) do redis.call('DEL', base .. part) end
end
if isLeft or not before then
  redis.call('ZREM', KEYS[2], base)
else
  redis.call('ZADD', KEYS[2], ARGV[7], base)
end
return '0'

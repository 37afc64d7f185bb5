--[[
  Removes a portion of the ended jobs that were placed in a queue for a namespace; and, when none is left, what BullMQ keeps about the queue,
  if there is nothing else in it and nobody has set anything about it. That is what adding and removing jobs leaves; it comes back with the
  next job.

  KEYS[1]   the dispatcher's record: hash of epoch, holder, closing
  KEYS[2]   what the runs of the namespace have used: set, from which the queue is removed
  KEYS[3]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   what the ids of its jobs begin with
  ARGV[4]   'completed' or 'failed', ARGV[5] the cursor in it; or 'leave', when nothing is left in both

  Reply: 'Fenced', or the next cursor, '0' at the end.
]]
local base, set = KEYS[3], ARGV[4]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'closing')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or record[3] ~= '1' then return 'Fenced' end

if set ~= 'leave' then
  local page = redis.call('ZSCAN', base .. set, ARGV[5], 'MATCH', ARGV[3] .. '*', 'COUNT', 500)
  for i = 1, #page[2], 2 do
    local id = page[2][i]
    local job = base .. id
    redis.call('ZREM', base .. set, id)
    redis.call('DEL', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
  end
  return page[1]
end

local function isEmpty()
  for _, part in ipairs({ 'wait', 'paused', 'active', 'delayed', 'prioritized', 'waiting-children', 'completed', 'failed', 'repeat' }) do
    if redis.call('EXISTS', base .. part) == 1 then return false end
  end
  local meta = redis.call('HGETALL', base .. 'meta')
  for i = 1, #meta, 2 do
    -- As many events as every queue keeps.
    local isUsual = meta[i] == 'version' or (meta[i] == 'opts.maxLenEvents' and meta[i + 1] == '10000')
    if not isUsual then return false end
  end
  return true
end

if isEmpty() then
  for _, part in ipairs({ 'meta', 'id', 'events', 'marker', 'pc', 'stalled', 'stalled-check' }) do redis.call('DEL', base .. part) end
end
redis.call('SREM', KEYS[2], base)
return '0'

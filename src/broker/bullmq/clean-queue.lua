--[[
  Removes jobs that ended long ago, the oldest first, as BullMQ's `cleanJobsInSet-3.lua` does: with what is kept beside a job, its
  deduplication, and its place in the flow of a parent that waits for it.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   what was applied to the queue: hash of v, owner, ...
  KEYS[3]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   owner
  ARGV[4]   how many at most of each kind
  ARGV[5]   age in ms from which completed ones go, ARGV[6] failed ones; '' leaves them alone

  Reply: { 'Fenced' }, { 'Unreadable' }, { 'Conflict' }, or { 'Done', how many were removed, when the next of all is too old in ms, the
    server's time in ms }; where none is left, when one that ends now is.
]]
local base = KEYS[3]

-- Ended jobs of schedules and runs keep a late repeat from running them again.
local leastAgeMs = 600000

local function split(key)
  local id = string.match(key, '.*:(.*)')
  return string.sub(key, 1, #key - #id), id
end

local function dropKeys(key)
  redis.call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':unsuccessful')
end

-- A parent that waited for nothing else goes with its last child when it is in the same queue, and can run when it is in another one.
local function leaveParent(key)
  local own = redis.call('HMGET', key, 'parentKey', 'deid')
  local parent = own[1]
  if not parent or parent == '' or redis.call('EXISTS', parent) == 0 then return end
  if redis.call('SREM', parent .. ':dependencies', key) == 0 or redis.call('SCARD', parent .. ':dependencies') > 0 then return end
  local parentBase, parentId = split(parent)
  if redis.call('ZREM', parentBase .. 'waiting-children', parentId) == 0 then return end
  if parentBase == base then
    leaveParent(parent)
    dropKeys(parent)
    if own[2] then redis.call('DEL', base .. 'de:' .. own[2]) end
    return
  end
  redis.call('RPUSH', parentBase .. 'wait', parentId)
  local meta = redis.call('HMGET', parentBase .. 'meta', 'paused', 'concurrency')
  local isMaxed = meta[2] and redis.call('LLEN', parentBase .. 'active') >= tonumber(meta[2])
  if not meta[1] and not isMaxed then redis.call('ZADD', parentBase .. 'marker', 0, '0') end
end

local function remove(id)
  local key = base .. id
  leaveParent(key)
  local deduplication = redis.call('HGET', key, 'deid')
  if deduplication and redis.call('GET', base .. 'de:' .. deduplication) == id then
    redis.call('DEL', base .. 'de:' .. deduplication, base .. 'dn:' .. deduplication)
  end
  dropKeys(key)
end

local proof = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if proof[1] ~= ARGV[1] or proof[2] ~= ARGV[2] then return { 'Fenced' } end
local record = redis.call('HMGET', KEYS[2], 'v', 'owner')
if record[1] and record[1] ~= '1' then return { 'Unreadable' } end
if record[2] ~= ARGV[3] then return { 'Conflict' } end

local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local removed, nextMs = 0, nil

local function clean(set, age)
  if age == '' then return end
  local ageMs = math.max(tonumber(age), leastAgeMs)
  local ids = redis.call('ZRANGEBYSCORE', set, '-inf', string.format('%.0f', nowMs - ageMs), 'LIMIT', 0, tonumber(ARGV[4]))
  for _, id in ipairs(ids) do remove(id) end
  if #ids > 0 then redis.call('ZREM', set, unpack(ids)) end
  removed = removed + #ids
  local oldest = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  local dueMs = (oldest and tonumber(oldest) or nowMs) + ageMs
  nextMs = nextMs and math.min(nextMs, dueMs) or dueMs
end

clean(base .. 'completed', ARGV[5])
clean(base .. 'failed', ARGV[6])
if removed > 0 then redis.call('XADD', base .. 'events', '*', 'event', 'cleaned', 'count', removed) end
return { 'Done', removed, nextMs or nowMs, nowMs }

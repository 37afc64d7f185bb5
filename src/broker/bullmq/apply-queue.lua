--[[
  Makes the settings of a queue hold, or takes back what was applied to it. A resume of many jobs takes several calls; until the last one the
  record stays, so that another process finishes it. A pause and a resume do what BullMQ's `pause-7.lua` does; the
  limit is the field that its `setGlobalConcurrency` writes.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   what was applied to the queue: hash of v, owner, createdAtMs, paused ('1': by us), concurrency (by us), found (before that, or '')
  KEYS[3]   the owner markers of the installation: hash from owner to marker
  KEYS[4]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  KEYS[5]   the queues of the namespace: sorted set of their bases, by when a job was last placed or settings applied
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   owner
  ARGV[4]   'Apply' or 'Release'
  ARGV[5]   createdAtMs of the owner, ARGV[6] its marker
  ARGV[7]   '1': suspended, ARGV[8] concurrency, or '' for no limit
  ARGV[9]   an owner that is known to be gone, or ''

  Reply: { 'Fenced' }, { 'Unreadable' }, { 'Conflict', owner }, or { 'Done', 1 if paused, 1 if by us, how many jobs are left to be resumed,
    what was done: { 'Paused' or 'Resumed', 1 if repaired }, { 'Limited', 1 if repaired, from, to } }; no limit is ''.
]]
local base, owner, mode = KEYS[4], ARGV[3], ARGV[4]
local meta, wait, marker = base .. 'meta', base .. 'wait', base .. 'marker'
local changes = {}

local function tell(...) changes[#changes + 1] = { ... } end

local function isPaused() return redis.call('HEXISTS', meta, 'paused') == 1 end

-- The next worker that looks takes a job and, if there are more, wakes another one.
local function wake()
  if redis.call('LLEN', wait) + redis.call('ZCARD', base .. 'prioritized') > 0 then
    redis.call('ZADD', marker, 0, '0')
    return
  end
  local delayed = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  if delayed[2] then redis.call('ZADD', marker, tonumber(delayed[2]) / 4096, '1') end
end

-- BullMQ 5 moved the jobs of a paused queue to a list of their own. 7,000 at once do not hold up the server.
local function resumeLegacy()
  local paused = base .. 'paused'
  if redis.call('EXISTS', paused) == 0 then return 0 end
  if redis.call('EXISTS', wait) == 0 then
    redis.call('RENAME', paused, wait)
    return 0
  end
  local jobs = redis.call('LRANGE', paused, 0, 6999)
  redis.call('RPUSH', wait, unpack(jobs))
  redis.call('LTRIM', paused, #jobs, -1)
  return redis.call('LLEN', paused)
end

local function pause()
  redis.call('HSET', meta, 'paused', 1)
  redis.call('DEL', marker)
  redis.call('XADD', base .. 'events', '*', 'event', 'paused')
end

local function resume()
  redis.call('HDEL', meta, 'paused')
  local left = resumeLegacy()
  wake()
  redis.call('XADD', base .. 'events', '*', 'event', 'resumed')
  return left
end

local function setLimit(limit)
  if limit == '' then redis.call('HDEL', meta, 'concurrency') else redis.call('HSET', meta, 'concurrency', limit) end
  if not isPaused() then wake() end
end

local proof = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if proof[1] ~= ARGV[1] or proof[2] ~= ARGV[2] then return { 'Fenced' } end
local record = redis.call('HMGET', KEYS[2], 'v', 'owner', 'createdAtMs', 'paused', 'concurrency', 'found')
if record[1] and record[1] ~= '1' then return { 'Unreadable' } end

if record[2] and record[2] ~= owner then
  local created, own = tonumber(record[3] or '0'), tonumber(ARGV[5])
  local isOlder = created < own or (created == own and record[2] < owner)
  if mode ~= 'Apply' or (isOlder and record[2] ~= ARGV[9]) then
    redis.call('HDEL', KEYS[3], owner)
    return { 'Conflict', record[2] }
  end
  redis.call('HDEL', KEYS[3], record[2])
end

local isOurs, left = record[4] == '1', 0
if ARGV[7] == '1' then
  if not isPaused() then
    pause()
    tell('Paused', isOurs and 1 or 0)
    isOurs = true
    redis.call('HSET', KEYS[2], 'paused', '1')
  end
elseif isOurs then
  if isPaused() then
    left = resume()
    tell('Resumed', 0)
  end
  isOurs = false
  redis.call('HDEL', KEYS[2], 'paused')
elseif not isPaused() and redis.call('EXISTS', base .. 'paused') == 1 then
  -- A resume that has not come to its end.
  left = resumeLegacy()
  wake()
end

local wanted, applied, limit = ARGV[8], record[5], redis.call('HGET', meta, 'concurrency') or ''
if wanted ~= '' then
  if not applied then redis.call('HSET', KEYS[2], 'found', limit) end
  if limit ~= wanted then
    setLimit(wanted)
    tell('Limited', applied == wanted and 1 or 0, limit, wanted)
  end
  redis.call('HSET', KEYS[2], 'concurrency', wanted)
elseif applied then
  local found = record[6] or ''
  -- Unless another client has changed it since: then it is theirs.
  if limit == applied and limit ~= found then
    setLimit(found)
    tell('Limited', 0, limit, found)
  end
  redis.call('HDEL', KEYS[2], 'concurrency', 'found')
end

if mode == 'Release' and left == 0 then
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[3], owner)
elseif mode == 'Apply' then
  redis.call('HSET', KEYS[2], 'v', '1', 'owner', owner, 'createdAtMs', ARGV[5])
  redis.call('ZADD', KEYS[5], tonumber(redis.call('TIME')[1]) * 1000, base)
  if redis.call('HGET', KEYS[3], owner) ~= ARGV[6] then redis.call('HSET', KEYS[3], owner, ARGV[6]) end
end
return { 'Done', isPaused() and 1 or 0, (isPaused() and isOurs) and 1 or 0, left, unpack(changes) }

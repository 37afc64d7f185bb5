--[[
  Places tracked jobs: writes each job, and the done job that waits for its end, with the keys, fields and events that BullMQ writes for a
  flow of one child. Its own scripts for that are `addParentJob-6.lua`, then `addStandardJob-9.lua`, `addDelayedJob-6.lua` or
  `addPrioritizedJob-9.lua`; test/integration/broker-bullmq-keys.test.ts compares what they and this one write.

  The script reads first, and writes only when it may place every job and all keys have the expected types. It then cannot fail half-way.
  - The proof does not hold: nothing is written.
  - The done job exists: the job is placed already, in whatever state, or a user removed it. It is left alone.
  - The job has ended and has no done job: its end was acknowledged. It is left alone.
  - The job waits or runs without a done job: it gets one.
  - The job is the child of another flow: nothing is written.

  A queue that BullMQ 5 paused has its waiting jobs in the list 'paused', and the resume of BullMQ 5 renames that list to 'wait': what is in
  'wait' by then is lost. So a job joins the list 'paused' where that list exists, or where BullMQ 5 was the last to open the queue.

  A field 'taskmill' beside what BullMQ keeps about a queue counts the jobs that Taskmill has added: while it equals BullMQ's own counter,
  nobody else has added any, and the counter need not outlive Taskmill's use of the queue.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the queues of the namespace: sorted set of their bases, by when a job was last placed
  KEYS[3..] for each job: base of its done queue, base of its queue ('<prefix>:<queue>:')
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   the time in ms at which all of them are added
  ARGV[4]   how long, in ms, what BullMQ keeps about a done queue stays after the last job was placed
  ARGV[5..] for each job: id of both jobs, name, data, options, delay in ms, priority, where it belongs (BullMQ's `parent`);
            then data and options of its done job

  Reply: { 'Placed' }, { 'Fenced' }, or { 'OtherParent', id of the first job that is the child of another flow }.
]]
local addedMs, doneTtlMs = ARGV[3], ARGV[4]
local argsPerJob = 9

local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return { 'Fenced' } end

redis.call('ZCARD', KEYS[2])

-- What a queue's keys say at the start. Reading all of them also proves that none has another type.
local queues = {}
local function readQueue(base)
  if queues[base] then return end
  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency', 'opts.maxLenEvents', 'version', 'taskmill')
  local active = redis.call('LLEN', base .. 'active')
  redis.call('LLEN', base .. 'wait')
  redis.call('XLEN', base .. 'events')
  for _, set in ipairs({ 'delayed', 'prioritized', 'marker', 'waiting-children' }) do redis.call('ZCARD', base .. set) end
  for _, counter in ipairs({ 'id', 'pc' }) do redis.call('GET', base .. counter) end
  local isFive = redis.call('LLEN', base .. 'paused') > 0 or string.find(meta[4] or '', '^bullmq:5%.') ~= nil
  queues[base] = {
    maxEvents = meta[3],
    added = tonumber(meta[5] or '') or 0,
    -- Nobody can take a job now, so nobody is woken.
    isClosed = meta[1] or (meta[2] and active >= tonumber(meta[2])),
    list = base .. ((meta[1] and isFive) and 'paused' or 'wait'),
  }
end

local function event(base, ...) redis.call('XADD', base .. 'events', 'MAXLEN', '~', queues[base].maxEvents, '*', 'event', ...) end

-- Counts a job that is added to a queue, and says how many events it keeps, if nobody has: BullMQ's number, or for a done queue, of which
-- nobody reads more than that there is a new one, a few instead of a megabyte.
local function count(base, mostEvents)
  redis.call('INCR', base .. 'id')
  queues[base].added = queues[base].added + 1
  if not queues[base].maxEvents then
    queues[base].maxEvents = mostEvents
    redis.call('HSET', base .. 'meta', 'opts.maxLenEvents', mostEvents)
  end
end

local function addDone(base, key, id, data, opts)
  count(base, 200)
  redis.call('HSET', key, 'name', 'done', 'data', data, 'opts', opts, 'timestamp', addedMs, 'delay', 0, 'priority', 0)
  redis.call('XADD', base .. 'events', '*', 'event', 'added', 'jobId', id, 'name', 'done')
  redis.call('ZADD', base .. 'waiting-children', addedMs, id)
  event(base, 'waiting-children', 'jobId', id)
end

-- The due time in ms * 4096, plus a counter that keeps jobs of the same millisecond in their order.
local function addDelayed(base, id, delay)
  local delayed, dueMs = base .. 'delayed', tonumber(addedMs) + delay
  local first, last = dueMs * 4096, (dueMs + 1) * 4096 - 1
  local highest = tonumber(redis.call('ZREVRANGEBYSCORE', delayed, last, first, 'WITHSCORES', 'LIMIT', 0, 1)[2])
  redis.call('ZADD', delayed, highest and math.min(highest + 1, last) or first, id)
  event(base, 'delayed', 'jobId', id, 'delay', dueMs)
  redis.call('ZADD', base .. 'marker', tonumber(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]) / 4096, '1')
end

local function addReady(base, id, priority)
  if priority > 0 then
    local score = priority * 0x100000000 + redis.call('INCR', base .. 'pc') % 0x100000000
    redis.call('ZADD', base .. 'prioritized', score, id)
  else
    redis.call('LPUSH', queues[base].list, id)
  end
  if not queues[base].isClosed then redis.call('ZADD', base .. 'marker', 0, '0') end
  event(base, 'waiting', 'jobId', id)
end

local plan, planned = {}, {}
for i = 3, #KEYS, 2 do
  local doneBase, base = KEYS[i], KEYS[i + 1]
  local at = 5 + (i - 3) / 2 * argsPerJob
  local id = ARGV[at]
  local done, job = doneBase .. id, base .. id
  local isLeftAlone = planned[done] or redis.call('EXISTS', done) == 1
    or redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id)
  if not isLeftAlone then
    local isThere = redis.call('EXISTS', job) == 1
    local parent = isThere and redis.call('HGET', job, 'parentKey')
    if parent and parent ~= done and redis.call('EXISTS', parent) == 1 then return { 'OtherParent', id } end
    readQueue(doneBase)
    readQueue(base)
    redis.call('SCARD', done .. ':dependencies')
    planned[done] = true
    plan[#plan + 1] = { doneBase = doneBase, base = base, done = done, job = job, at = at, isThere = isThere }
  end
end

for _, each in ipairs(plan) do
  local at, base, job = each.at, each.base, each.job
  local id, name, data, opts, delay, priority, parent, doneData, doneOpts = unpack(ARGV, at, at + argsPerJob - 1)
  addDone(each.doneBase, each.done, id, doneData, doneOpts)
  count(base, 10000)
  if each.isThere then
    redis.call('HSET', job, 'parentKey', each.done, 'parent', parent)
    event(base, 'duplicated', 'jobId', id)
  else
    redis.call('HSET', job, 'name', name, 'data', data, 'opts', opts, 'timestamp', addedMs, 'delay', delay, 'priority', priority,
      'parentKey', each.done, 'parent', parent)
    redis.call('XADD', base .. 'events', '*', 'event', 'added', 'jobId', id, 'name', name)
    if tonumber(delay) > 0 then
      addDelayed(base, id, tonumber(delay))
    else
      addReady(base, id, tonumber(priority))
    end
  end
  redis.call('SADD', each.done .. ':dependencies', job)
end

local refreshed = {}
for _, each in ipairs(plan) do
  if not refreshed[each.base] then
    refreshed[each.base] = true
    redis.call('HSET', each.base .. 'meta', 'taskmill', string.format('%.0f', queues[each.base].added))
    redis.call('ZADD', KEYS[2], addedMs, each.base)
  end
  if not refreshed[each.doneBase] then
    refreshed[each.doneBase] = true
    for _, part in ipairs({ 'meta', 'events', 'id', 'marker' }) do redis.call('PEXPIRE', each.doneBase .. part, doneTtlMs) end
  end
end
return { 'Placed' }

--[[
  Part of scripts that place tracked jobs: each job, and the done job that waits for its end, with the keys, fields and events that BullMQ
  writes for a flow of one child. Its own scripts for that are `addParentJob-6.lua`, then `addStandardJob-9.lua`, `addDelayedJob-6.lua` or
  `addPrioritizedJob-9.lua`; test/integration/broker-bullmq-keys.test.ts compares what they and this one write.

  planPlacing only reads, and proves that every job may be placed and that all keys have the expected types. A script that plans before its
  first write cannot fail half-way.
  - The done job exists: the job is placed already, in whatever state, or a user removed it. It is left alone.
  - The job has ended and has no done job: its end was acknowledged. It is left alone.
  - The job waits or runs without a done job: it gets one.
  - The job is the child of another flow: there is no plan.

  A queue that BullMQ 5 paused has its waiting jobs in the list 'paused', and the resume of BullMQ 5 renames that list to 'wait': what is in
  'wait' by then is lost. So a job joins the list 'paused' where that list exists, or where BullMQ 5 was the last to open the queue.

  A field 'taskmill' beside what BullMQ keeps about a queue counts the jobs that Taskmill has added: while it equals BullMQ's own counter,
  nobody else has added any, and the counter need not outlive Taskmill's use of the queue.

  planPlacing(keys, k, args, a) returns a plan, or nil and the id of the first job that is the child of another flow.
    keys   keys[k] the queues of the namespace: sorted set of their bases, by when a job was last placed; from there on, for each job: base of
           its done queue, base of its queue ('<prefix>:<queue>:')
    args   from args[a] on: the time in ms at which all of them are added; how long, in ms, what BullMQ keeps about a done queue stays after the
           last job was placed; then for each job: id of both jobs, name, data, options, delay in ms, priority, where it belongs (BullMQ's
           `parent`), data and options of its done job
  placePlanned(plan) writes.
]]
local argsPerJob = 9

-- What a queue's keys say at the start. Reading all of them also proves that none has another type.
local function readQueue(queues, base)
  if queues[base] then return queues[base] end
  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency', 'opts.maxLenEvents', 'version', 'taskmill')
  local active = redis.call('LLEN', base .. 'active')
  redis.call('LLEN', base .. 'wait')
  redis.call('XLEN', base .. 'events')
  for _, set in ipairs({ 'delayed', 'prioritized', 'marker', 'waiting-children' }) do redis.call('ZCARD', base .. set) end
  for _, counter in ipairs({ 'id', 'pc' }) do redis.call('GET', base .. counter) end
  local isFive = redis.call('LLEN', base .. 'paused') > 0 or string.find(meta[4] or '', '^bullmq:5%.') ~= nil
  queues[base] = {
    base = base,
    maxEvents = meta[3],
    added = tonumber(meta[5] or '') or 0,
    -- Nobody can take a job now, so nobody is woken.
    isClosed = meta[1] or (meta[2] and active >= tonumber(meta[2])),
    list = base .. ((meta[1] and isFive) and 'paused' or 'wait'),
  }
  return queues[base]
end

local function event(queue, ...) redis.call('XADD', queue.base .. 'events', 'MAXLEN', '~', queue.maxEvents, '*', 'event', ...) end

-- Counts a job that is added to a queue, and says how many events it keeps, if nobody has: BullMQ's number, or for a done queue, of which
-- nobody reads more than that there is a new one, a few instead of a megabyte.
local function count(queue, mostEvents)
  redis.call('INCR', queue.base .. 'id')
  queue.added = queue.added + 1
  if not queue.maxEvents then
    queue.maxEvents = mostEvents
    redis.call('HSET', queue.base .. 'meta', 'opts.maxLenEvents', mostEvents)
  end
end

local function addDone(queue, addedMs, key, id, data, opts)
  count(queue, 200)
  redis.call('HSET', key, 'name', 'done', 'data', data, 'opts', opts, 'timestamp', addedMs, 'delay', 0, 'priority', 0)
  redis.call('XADD', queue.base .. 'events', '*', 'event', 'added', 'jobId', id, 'name', 'done')
  redis.call('ZADD', queue.base .. 'waiting-children', addedMs, id)
  event(queue, 'waiting-children', 'jobId', id)
end

-- The due time in ms * 4096, plus a counter that keeps jobs of the same millisecond in their order.
local function addDelayed(queue, addedMs, id, delay)
  local delayed, dueMs = queue.base .. 'delayed', tonumber(addedMs) + delay
  local first, last = dueMs * 4096, (dueMs + 1) * 4096 - 1
  local highest = tonumber(redis.call('ZREVRANGEBYSCORE', delayed, last, first, 'WITHSCORES', 'LIMIT', 0, 1)[2])
  redis.call('ZADD', delayed, highest and math.min(highest + 1, last) or first, id)
  event(queue, 'delayed', 'jobId', id, 'delay', dueMs)
  redis.call('ZADD', queue.base .. 'marker', tonumber(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]) / 4096, '1')
end

local function addReady(queue, id, priority)
  if priority > 0 then
    local score = priority * 0x100000000 + redis.call('INCR', queue.base .. 'pc') % 0x100000000
    redis.call('ZADD', queue.base .. 'prioritized', score, id)
  else
    redis.call('LPUSH', queue.list, id)
  end
  if not queue.isClosed then redis.call('ZADD', queue.base .. 'marker', 0, '0') end
  event(queue, 'waiting', 'jobId', id)
end

local function planPlacing(keys, k, args, a)
  redis.call('ZCARD', keys[k])
  local queues, planned = {}, {}
  local plan = { used = keys[k], args = args, addedMs = args[a], doneTtlMs = args[a + 1], jobs = {} }
  for i = k + 1, #keys, 2 do
    local doneBase, base = keys[i], keys[i + 1]
    local at = a + 2 + (i - k - 1) / 2 * argsPerJob
    local id = args[at]
    local done, job = doneBase .. id, base .. id
    local isLeftAlone = planned[done] or redis.call('EXISTS', done) == 1
      or redis.call('ZSCORE', base .. 'completed', id) or redis.call('ZSCORE', base .. 'failed', id)
    if not isLeftAlone then
      local isThere = redis.call('EXISTS', job) == 1
      local parent = isThere and redis.call('HGET', job, 'parentKey')
      if parent and parent ~= done and redis.call('EXISTS', parent) == 1 then return nil, id end
      redis.call('SCARD', done .. ':dependencies')
      planned[done] = true
      plan.jobs[#plan.jobs + 1] = {
        doneQueue = readQueue(queues, doneBase), queue = readQueue(queues, base), done = done, job = job, at = at, isThere = isThere,
      }
    end
  end
  return plan
end

local function placePlanned(plan)
  local addedMs, refreshed = plan.addedMs, {}
  for _, each in ipairs(plan.jobs) do
    local queue, job = each.queue, each.job
    local id, name, data, opts, delay, priority, parent, doneData, doneOpts = unpack(plan.args, each.at, each.at + argsPerJob - 1)
    addDone(each.doneQueue, addedMs, each.done, id, doneData, doneOpts)
    count(queue, 10000)
    if each.isThere then
      redis.call('HSET', job, 'parentKey', each.done, 'parent', parent)
      event(queue, 'duplicated', 'jobId', id)
    else
      redis.call('HSET', job, 'name', name, 'data', data, 'opts', opts, 'timestamp', addedMs, 'delay', delay, 'priority', priority,
        'parentKey', each.done, 'parent', parent)
      redis.call('XADD', queue.base .. 'events', '*', 'event', 'added', 'jobId', id, 'name', name)
      if tonumber(delay) > 0 then
        addDelayed(queue, addedMs, id, tonumber(delay))
      else
        addReady(queue, id, tonumber(priority))
      end
    end
    redis.call('SADD', each.done .. ':dependencies', job)
  end
  for _, each in ipairs(plan.jobs) do
    local base, doneBase = each.queue.base, each.doneQueue.base
    if not refreshed[base] then
      refreshed[base] = true
      redis.call('HSET', base .. 'meta', 'taskmill', string.format('%.0f', each.queue.added))
      redis.call('ZADD', plan.used, addedMs, base)
    end
    if not refreshed[doneBase] then
      refreshed[doneBase] = true
      for _, part in ipairs({ 'meta', 'events', 'id', 'marker' }) do redis.call('PEXPIRE', doneBase .. part, plan.doneTtlMs) end
    end
  end
end

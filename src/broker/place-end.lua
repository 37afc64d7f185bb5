--[[
  Closes the transaction that places jobs: takes off the disguise of `place-begin`, and takes away what was added only in part, which
  happens when the server forgot one of BullMQ's scripts.

  KEYS[1]   notes of `place-begin`; without them (it failed, for want of memory) nothing is touched
  KEYS[2..] for each job: its done job, the job, its done queue's base, its queue's base ('<prefix>:<queue>:')
  ARGV[1]   for how long, in ms, what BullMQ keeps about the done queue stays after the last job was placed

  Reply: the number of jobs that were added only in part.
]]
local broken = 0
for i = 2, #KEYS, 4 do
  local done, job, doneBase, base = KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3]
  local id = string.match(job, '.*:(.*)')
  local note = redis.call('HGET', KEYS[1], job)
  if note == 'absent' then
    redis.call('DEL', job)
  elseif note and string.sub(note, 1, 4) == 'was:' then
    if note == 'was:' then redis.call('HDEL', job, 'parentKey') else redis.call('HSET', job, 'parentKey', string.sub(note, 5)) end
  elseif note and (redis.call('EXISTS', done, job) < 2 or redis.call('SISMEMBER', done .. ':dependencies', job) == 0) then
    broken = broken + 1
    redis.call('ZREM', doneBase .. 'waiting-children', id)
    redis.call('DEL', done, done .. ':dependencies', done .. ':processed')
    if note == 'new' then
      redis.call('ZREM', base .. 'delayed', id)
      redis.call('ZREM', base .. 'prioritized', id)
      redis.call('LREM', base .. 'wait', 1, id)
      redis.call('DEL', job)
    end
  end
  if note == 'absent' or (note and string.sub(note, 1, 4) == 'was:') then
    if redis.call('HGET', KEYS[1], done) == 'absent' then redis.call('DEL', done) else redis.call('HDEL', done, 'flowAttachmentFailed') end
  end
  for _, part in ipairs({ 'meta', 'events', 'id', 'marker' }) do redis.call('PEXPIRE', doneBase .. part, ARGV[1]) end
end
redis.call('DEL', KEYS[1])
return broken

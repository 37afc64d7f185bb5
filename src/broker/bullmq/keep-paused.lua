--[[
  Keeps jobs that went back to 'wait' from being lost in a queue that BullMQ 5 has paused: its resume renames the list 'paused' to 'wait', over
  what is there. BullMQ 6 puts them into 'wait' all the same. As in `placing`, they belong into 'paused' where that list exists, or where
  BullMQ 5 was the last to open the queue. The resume of BullMQ 6 empties that list, too.

  A command of its own, because BullMQ's scripts put the jobs back, and they are called as they are. It is sent only after that: for an attempt
  that failed and is repeated, a job that is handed back, and jobs of a worker that died. A job that ends, and a look that finds none, cost no
  such command.

  KEYS[1]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV      ids of the jobs

  Reply: how many were moved.
]]
local base = KEYS[1]
local meta = redis.call('HMGET', base .. 'meta', 'paused', 'version')
if not meta[1] then return 0 end
if redis.call('LLEN', base .. 'paused') == 0 and not string.find(meta[2] or '', '^bullmq:5%.') then return 0 end
local moved = 0
for _, id in ipairs(ARGV) do
  -- Where it is taken from next, as in 'wait'.
  if redis.call('LREM', base .. 'wait', -1, id) == 1 then
    redis.call('RPUSH', base .. 'paused', id)
    moved = moved + 1
  end
end
return moved

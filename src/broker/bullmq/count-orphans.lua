--[[
  Counts active jobs that nobody holds the lock of. Writes nothing.

  KEYS[i]   base of a queue's keys, with the separator: '<prefix>:<queue>:' (at most 10)
  ARGV[1]   how many to look at in each: those that are active longest

  Reply: a number for each queue.
]]
local reply = {}
for i, base in ipairs(KEYS) do
  local orphans = 0
  for _, id in ipairs(redis.call('LRANGE', base .. 'active', -tonumber(ARGV[1]), -1)) do
    if redis.call('EXISTS', base .. id .. ':lock') == 0 then orphans = orphans + 1 end
  end
  reply[i] = orphans
end
return reply

--[[
  Lists what repeats in queues without being a job scheduler of BullMQ 6, which counts its iterations. Writes nothing.

  KEYS[i]   base of a queue's keys, with the separator: '<prefix>:<queue>:' (at most 50)
  ARGV[1]   how many to look at in each

  Reply: for each queue the keys of what repeats.
]]
local reply = {}
for i, base in ipairs(KEYS) do
  local row = {}
  for _, key in ipairs(redis.call('ZRANGE', base .. 'repeat', 0, tonumber(ARGV[1]) - 1)) do
    if redis.call('HEXISTS', base .. 'repeat:' .. key, 'ic') == 0 then row[#row + 1] = key end
  end
  reply[i] = row
end
return reply

--[[
  Removes what a namespace without any record still has: its counts, its done queue, its dispatch lease and the marker of that. A portion of
  the done jobs at a time. A job whose done job goes becomes a job like any other: nobody waits for its end any more.

  KEYS[1]   the dispatcher's record: hash of epoch, holder, closing
  KEYS[2]   the owner markers of the installation: hash from name to marker
  KEYS[3]   what the runs of the namespace have used: set
  KEYS[4]   base of the done queue, with the separator: '<prefix>:<queue>:'
  KEYS[5..] bases of counts, without the hour
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   name of the dispatcher
  ARGV[4]   how many done jobs at most

  Reply: 'Fenced', 'More', or 'Done'.
]]
local done, left = KEYS[4], tonumber(ARGV[4])
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'closing')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or record[3] ~= '1' then return 'Fenced' end

local hour = math.floor(tonumber(redis.call('TIME')[1]) / 3600)
for i = 5, #KEYS do
  -- Counts live for 26 hours.
  for each = hour - 27, hour do redis.call('DEL', KEYS[i] .. string.format('%d', each)) end
  redis.call('SREM', KEYS[3], KEYS[i])
end

local function drop(id)
  local key = done .. id
  for _, job in ipairs(redis.call('SMEMBERS', key .. ':dependencies')) do redis.call('HDEL', job, 'parentKey', 'parent') end
  redis.call('DEL', key, key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':logs')
end

local waiting = redis.call('ZRANGE', done .. 'waiting-children', 0, left - 1)
for _, id in ipairs(waiting) do drop(id) end
if #waiting > 0 then redis.call('ZREM', done .. 'waiting-children', unpack(waiting)) end
local ended = redis.call('LRANGE', done .. 'wait', 0, left - 1)
for _, id in ipairs(ended) do drop(id) end
if #ended > 0 then redis.call('LTRIM', done .. 'wait', #ended, -1) end
if #waiting == left or #ended == left then return 'More' end
-- Something was placed meanwhile.
if redis.call('EXISTS', KEYS[3]) == 1 then return 'More' end

for _, part in ipairs({ 'meta', 'id', 'events', 'marker', 'pc', 'stalled', 'stalled-check', 'wait', 'waiting-children' }) do
  redis.call('DEL', done .. part)
end
redis.call('HDEL', KEYS[2], ARGV[3])
redis.call('DEL', KEYS[1])
return 'Done'

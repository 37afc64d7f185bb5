--[[
  Removes a portion of what a namespace without any record still has: first its counts, then its done jobs; at last its done queue, its
  dispatch lease and the marker of that. A job whose done job goes becomes a job like any other: nobody waits for its end any more.

  KEYS[1]   the dispatcher's record: hash of epoch, holder, closing
  KEYS[2]   the owner markers of the installation: hash from name to marker
  KEYS[3]   the queues of the namespace: sorted set, empty when all are left
  KEYS[4]   the subjects of which ends were counted: sorted set of the bases of their counts, by the minute of the last end
  KEYS[5]   base of the done queue, with the separator: '<prefix>:<queue>:'
  KEYS[6]   the active runs of schedules in concurrency groups: hash, of which something is left only where a user has removed a ledger
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   name of the dispatcher
  ARGV[4]   how many subjects, ARGV[5] how many done jobs at most

  Reply: 'Fenced', 'More', or 'Done'.
]]
local done, left = KEYS[5], tonumber(ARGV[5])
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'closing')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or record[3] ~= '1' then return 'Fenced' end

local counted = redis.call('ZRANGE', KEYS[4], 0, tonumber(ARGV[4]) - 1, 'WITHSCORES')
if #counted > 0 then
  for i = 1, #counted, 2 do
    local base, hour = counted[i], math.floor(tonumber(counted[i + 1]) / 60)
    local keys = {}
    -- Counts live for 26 hours.
    for each = hour - 27, hour do keys[#keys + 1] = base .. string.format('%d', each) end
    redis.call('DEL', unpack(keys))
    redis.call('ZREM', KEYS[4], base)
  end
  return 'More'
end

local function drop(id)
  local key = done .. id
  for _, job in ipairs(redis.call('SMEMBERS', key .. ':dependencies')) do redis.call('HDEL', job, 'parentKey', 'parent') end
  redis.call('DEL', key, key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':logs')
end

local waiting = redis.call('ZRANGE', done .. 'waiting-children', 0, left - 1)
for _, id in ipairs(waiting) do drop(id) end
if #waiting > 0 then redis.call('ZREM', done .. 'waiting-children', unpack(waiting)) end
local ended = #waiting < left and redis.call('LRANGE', done .. 'wait', 0, left - #waiting - 1) or {}
for _, id in ipairs(ended) do drop(id) end
if #ended > 0 then redis.call('LTRIM', done .. 'wait', #ended, -1) end
if #waiting + #ended >= left then return 'More' end
-- Something was placed meanwhile.
if redis.call('EXISTS', KEYS[3]) == 1 then return 'More' end

for _, part in ipairs({ 'meta', 'id', 'events', 'marker', 'pc', 'stalled', 'stalled-check', 'wait', 'waiting-children' }) do
  redis.call('DEL', done .. part)
end
redis.call('HDEL', KEYS[2], ARGV[3])
redis.call('DEL', KEYS[1], KEYS[6])
return 'Done'

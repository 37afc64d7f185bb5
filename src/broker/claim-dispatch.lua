--[[
  Claims, or renews, the dispatch of slots in namespaces.

  KEYS[i]   a dispatcher's record: hash of epoch, holder (absent once released), by, aliveAtMs
  ARGV      for each key: epoch, holder, by, patience in ms

  Reply: for each key, { 'Held' }, or { 'HeldByOther', its holder }, or { 'Behind', the epoch that is not lower }.
  The clock is the server's. An epoch never goes down, whoever holds it.
]]
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function claim(key, epoch, holder, by, patienceMs)
  local record = redis.call('HMGET', key, 'epoch', 'holder', 'by', 'aliveAtMs')
  local known, heldBy, knownBy, aliveAtMs = tonumber(record[1] or '0'), record[2], record[3], tonumber(record[4] or '0')
  if heldBy and heldBy ~= holder then
    -- Also when the clock went back: by more than the patience it cannot be trusted to say anything.
    if math.abs(nowMs - aliveAtMs) <= patienceMs then return { 'HeldByOther', heldBy } end
  end
  local isOwn = known == tonumber(epoch) and knownBy == by and (not heldBy or heldBy == holder)
  if tonumber(epoch) <= known and not isOwn then return { 'Behind', known } end
  redis.call('HSET', key, 'epoch', epoch, 'holder', holder, 'by', by, 'aliveAtMs', string.format('%.0f', nowMs))
  return { 'Held' }
end

local reply = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  reply[i] = claim(key, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4]))
end
return reply

--[[
  Reads ledgers. Writes nothing.

  KEYS[i]   a ledger: hash of revision, document (at most 50)
  ARGV      none

  Reply: { the server's time in ms, { revision, document } or {} for each key }.
]]
local time = redis.call('TIME')
local reply = { tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) }
for i, key in ipairs(KEYS) do
  local stored = redis.call('HMGET', key, 'revision', 'document')
  reply[i + 1] = stored[1] and { tonumber(stored[1]), stored[2] or '' } or {}
end
return reply

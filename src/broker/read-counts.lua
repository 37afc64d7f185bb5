--[[
  Adds up what was counted in stretches of minutes. Writes nothing.

  KEYS[i]   the counts of a subject in one hour: hash from '<minute>:<Succeeded|Failed|Missed>' to how many (at most 50)
  ARGV      for each key the first and the last minute of that hour, 0 to 59

  Reply: { the server's time in ms, then for each key succeeded, failed, missed }.
]]
local time = redis.call('TIME')
local reply = { tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) }
for i, key in ipairs(KEYS) do
  local first, last = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local sums = { Succeeded = 0, Failed = 0, Missed = 0 }
  local fields = redis.call('HGETALL', key)
  for f = 1, #fields, 2 do
    local minute, outcome = string.match(fields[f], '^(%d+):(%a+)$')
    if minute and sums[outcome] and tonumber(minute) >= first and tonumber(minute) <= last then
      sums[outcome] = sums[outcome] + tonumber(fields[f + 1])
    end
  end
  reply[#reply + 1] = sums.Succeeded
  reply[#reply + 1] = sums.Failed
  reply[#reply + 1] = sums.Missed
end
return reply

--[[
  Part of scripts that record ends: counts each of them in its subject's hash of the current hour, by minute and outcome.

  keys, from    keys[from] and what follows: '<…>:counts:<…>:', to which the hour is added, one for each end
  args, first   args[first] and what follows: 'Succeeded' or 'Failed' for each of these
]]
local function countEnds(nowMs, keys, from, args, first)
  local minutes = math.floor(nowMs / 60000)
  for i = from, #keys do
    local key = keys[i] .. string.format('%d', math.floor(minutes / 60))
    redis.call('HINCRBY', key, string.format('%d:%s', minutes % 60, args[first + i - from]), 1)
    redis.call('EXPIRE', key, 93600)
  end
end

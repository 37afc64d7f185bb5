--[[
  Part of scripts that record ends: counts each of them in its subject's hash of the current hour, by minute and outcome.

  used          what the runs of the namespace have used: set, to which the subject's counts are added
  keys, from    keys[from] and what follows: '<…>:counts:<…>:', to which the hour is added, one for each end
  args, first   args[first] and what follows: 'Succeeded', 'Failed' or 'Missed' for each of these, and behind a space how many if not one
]]
local function countEnds(nowMs, used, keys, from, args, first)
  local minutes = math.floor(nowMs / 60000)
  for i = from, #keys do
    local key = keys[i] .. string.format('%d', math.floor(minutes / 60))
    local outcome, count = string.match(args[first + i - from], '^(%a+) ?(%d*)$')
    count = count == '' and 1 or tonumber(count)
    -- The first of a minute: often enough for the set, and seldom enough for the server.
    if redis.call('HINCRBY', key, string.format('%d:%s', minutes % 60, outcome), count) == count then redis.call('SADD', used, keys[i]) end
    redis.call('EXPIRE', key, 93600)
  end
end

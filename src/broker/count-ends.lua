--[[
  Part of scripts that record ends: counts each of them in its subject's hash of the current hour, by minute and outcome.

  counted       the subjects of the namespace: sorted set of the bases of their counts, by the minute of the last end
  keys          keys[from] to keys[last]: '<...>:counts:<...>:', to which the hour is added, one for each end
  args, first   args[first] and what follows: 'Succeeded', 'Failed' or 'Missed' for each of these, and behind a space how many if not one
]]
local function countEnds(nowMs, counted, keys, from, last, args, first)
  local keptSeconds = 93600
  local minutes = math.floor(nowMs / 60000)
  for i = from, last do
    local key = keys[i] .. string.format('%d', math.floor(minutes / 60))
    local outcome, count = string.match(args[first + i - from], '^(%a+) ?(%d*)$')
    count = count == '' and 1 or tonumber(count)
    -- The first of a minute: often enough for the set, and seldom enough for the server.
    if redis.call('HINCRBY', key, string.format('%d:%s', minutes % 60, outcome), count) == count then
      redis.call('ZADD', counted, minutes, keys[i])
      -- Those whose counts have expired: more than come, and so few that nobody waits.
      local expired = redis.call('ZRANGEBYSCORE', counted, '-inf', minutes - keptSeconds / 60 - 1, 'LIMIT', 0, 20)
      if #expired > 0 then redis.call('ZREM', counted, unpack(expired)) end
      redis.call('EXPIRE', counted, keptSeconds)
    end
    redis.call('EXPIRE', key, keptSeconds)
  end
end

--[[
  Put in front of the scripts that change the decision log of a run:
  checkLog(record, log, epoch, holder, expected) returns the server's time in ms, the log's length, and 'Fenced' if the proof does not hold,
  'Conflict' if the log is not as long as expected, or nil.
]]
local function checkLog(record, log, epoch, holder, expected)
  local time = redis.call('TIME')
  local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local proof = redis.call('HMGET', record, 'epoch', 'holder')
  local length = redis.call('LLEN', log)
  if proof[1] ~= epoch or proof[2] ~= holder then return nowMs, length, 'Fenced' end
  if length ~= tonumber(expected) then return nowMs, length, 'Conflict' end
  return nowMs, length, nil
end

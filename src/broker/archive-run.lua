--[[
  Replaces the decision log of a run by one entry if the proof holds and the log is as long as expected.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the log: list of entries
  KEYS[3]   the owner markers of the installation: hash from run to marker
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   expected length
  ARGV[4]   name of the run
  ARGV[5]   marker
  ARGV[6]   the entry

  Reply: { 'Written', 'Conflict' or 'Fenced', the server's time in ms, the log's length as it is now }.
]]
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local proof = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
local length = redis.call('LLEN', KEYS[2])
if proof[1] ~= ARGV[1] or proof[2] ~= ARGV[2] then return { 'Fenced', nowMs, length } end
if length ~= tonumber(ARGV[3]) then return { 'Conflict', nowMs, length } end
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[2], ARGV[6])
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
return { 'Written', nowMs, 1 }

--[[
  Deletes the log of a run and its marker if the proof holds and the log is as long as expected.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the log: list of entries
  KEYS[3]   the owner markers of the installation: hash from run to marker
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   expected length
  ARGV[4]   name of the run

  Reply: { 'Written', 'Conflict' or 'Fenced', the server's time in ms, the log's length as it is now }.
]]
local nowMs, length, refused = checkLog(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if refused then return { refused, nowMs, length } end
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[3], ARGV[4])
return { 'Written', nowMs, 0 }

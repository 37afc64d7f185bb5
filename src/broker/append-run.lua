--[[
  Appends to the decision log of a run if the proof holds and the log is as long as expected, and counts the ends that it records.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the log: list of entries
  KEYS[3]   the owner markers of the installation: hash from run to marker
  KEYS[4]   the subjects of the namespace of which ends were counted: sorted set
  KEYS[5..] for each end to count: its subject's counts, without the hour
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   expected length, 0 for none
  ARGV[4]   name of the run
  ARGV[5]   marker
  ARGV[6..] for each end to count its outcome, then the entries

  Reply: { 'Written', 'Conflict' or 'Fenced', the server's time in ms, the log's length as it is now }.
]]
local nowMs, length, refused = checkLog(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if refused then return { refused, nowMs, length } end
for i = 6 + #KEYS - 4, #ARGV do length = redis.call('RPUSH', KEYS[2], ARGV[i]) end
if redis.call('HGET', KEYS[3], ARGV[4]) ~= ARGV[5] then redis.call('HSET', KEYS[3], ARGV[4], ARGV[5]) end
countEnds(nowMs, KEYS[4], KEYS, 5, #KEYS, ARGV, 6)
return { 'Written', nowMs, length }

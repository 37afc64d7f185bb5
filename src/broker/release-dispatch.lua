--[[
  Gives a dispatcher's claim back, if it is still the one that the proof is of. The epoch stays.

  KEYS[1]   the dispatcher's record: hash of epoch, holder, by, aliveAtMs
  ARGV      epoch, holder

  Reply: 1 if it was given back, else 0.
]]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'holder')
return 1

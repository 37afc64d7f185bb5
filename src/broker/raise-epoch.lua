-- Raises the epoch that this broker knows; never lowers it.
-- KEYS[1]  the epoch: a string, a whole number
-- ARGV[1]  the epoch of who leads
-- Reply    the highest epoch known before, 0 for none
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > known then
  redis.call('SET', KEYS[1], ARGV[1])
end
return known

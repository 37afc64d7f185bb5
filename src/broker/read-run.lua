--[[
  Reads a part of a run's decision log. Writes nothing.

  KEYS[1]   the log: list of entries
  KEYS[2]   the owner markers of the installation: hash from run to marker
  ARGV[1]   name of the run
  ARGV[2]   index of the first entry to read
  ARGV[3]   how many bytes of entries to read at most; one is read in any case

  Reply: { the server's time in ms, the log's length, marker or '', entries ... }.
]]
local time = redis.call('TIME')
local length, from = redis.call('LLEN', KEYS[1]), tonumber(ARGV[2])
local reply = { tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), length, redis.call('HGET', KEYS[2], ARGV[1]) or '' }
local left = tonumber(ARGV[3])
while from < length and left > 0 do
  for _, entry in ipairs(redis.call('LRANGE', KEYS[1], from, from + 49)) do
    if left <= 0 then break end
    reply[#reply + 1] = entry
    left = left - #entry
  end
  from = from + 50
end
return reply

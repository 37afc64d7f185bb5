--[[
  Reads the versions of job schedulers; `job-scheduler.lua` is put in front. Writes nothing.

  KEYS[i]   base of the queue of a scheduler: '<prefix>:<queue>:'
  ARGV[i]   its id

  Reply: the version of each, or ''.
]]
local reply = {}
for i, base in ipairs(KEYS) do reply[i] = versionOf(base, ARGV[i]) or '' end
return reply

--[[
  Finds the active jobs that are locked with certain tokens: what a worker was given in a reply that never reached it. Writes nothing.

  KEYS[1]   base of the queue's keys, with the separator: '<prefix>:<queue>:'
  ARGV      the tokens

  Reply: id and token of each such job, one after the other.
]]
local tokens = {}
for _, token in ipairs(ARGV) do tokens[token] = true end
local claims = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1] .. 'active', 0, -1)) do
  local holder = redis.call('GET', KEYS[1] .. id .. ':lock')
  if holder and tokens[holder] then
    claims[#claims + 1] = id
    claims[#claims + 1] = holder
  end
end
return claims

--[[
  Reads which tracked jobs have ended: their done jobs wait, in the order in which BullMQ put them there. Writes nothing.

  KEYS[i]   base of a done queue: '<prefix>:<queue>:'
  ARGV[1]   how many to read of each
  ARGV[2]   how many bytes of a node's return value are read
  ARGV[3]   how many of each to pass over
  ARGV[4]   how many bytes of a slot's return value are read

  Reply: for each queue { how many wait, ended 1, ended 2, ... }; each ended is
    { id, data of the done job, 'Succeeded' or 'Failed' or 'Removed', error message, return value or '' (JSON), its bytes,
      then of the job as far as it is kept, else '': atm, pb, processedOn, finishedOn, opts }
]]
local reply = {}
for i, base in ipairs(KEYS) do
  local row = { redis.call('LLEN', base .. 'wait') }
  for _, id in ipairs(redis.call('LRANGE', base .. 'wait', tonumber(ARGV[3]), tonumber(ARGV[3]) + tonumber(ARGV[1]) - 1)) do
    local done = base .. id
    local data = redis.call('HGET', done, 'data')
    if data then
      local outcome, message, result, bytes, job = 'Removed', '', '', 0, redis.call('HKEYS', done .. ':processed')[1]
      if job then
        outcome = 'Succeeded'
        local most = tonumber(string.find(data, '"node":', 1, true) and ARGV[2] or ARGV[4])
        bytes = redis.call('HSTRLEN', done .. ':processed', job)
        if bytes <= most then result = redis.call('HGET', done .. ':processed', job) end
      else
        local failed = redis.call('HGETALL', done .. ':failed')
        if failed[1] then
          outcome, job, message = 'Failed', failed[1], string.sub(failed[2], 1, 4096)
        end
      end
      local kept = job and redis.call('HMGET', job, 'atm', 'pb', 'processedOn', 'finishedOn', 'opts') or {}
      row[#row + 1] = { id, data, outcome, message, result, bytes, kept[1] or '', kept[2] or '', kept[3] or '', kept[4] or '', kept[5] or '' }
    end
  end
  reply[i] = row
end
return reply

--[[
  Removes done jobs that wait, that is, whose jobs have ended.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS      then for each: base of its done queue ('<prefix>:<queue>:'), the done job
  ARGV[1]   epoch, ARGV[2] holder: the proof; both empty: nobody waits for these ends, so none is needed

  Reply: 'Done' or 'Fenced'.
]]
if ARGV[2] ~= '' then
  local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
  if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 'Fenced' end
end
for i = 2, #KEYS, 2 do
  local done = KEYS[i + 1]
  if redis.call('LREM', KEYS[i] .. 'wait', 1, string.sub(done, #KEYS[i] + 1)) == 1 then
    redis.call('DEL', done, done .. ':dependencies', done .. ':processed', done .. ':failed', done .. ':logs')
  end
end
return 'Done'

--[[
  Removes done jobs that wait, that is, whose jobs have ended.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS      then for each: base of its done queue ('<prefix>:<queue>:'), the done job, the ledger or log of its owner
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3..] for each: '' if its end is recorded, or '1' if it goes only where its owner has no ledger and no log

  Reply: 'Done' or 'Fenced'.
]]
local record = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then return 'Fenced' end
for i = 2, #KEYS, 3 do
  local base, done, owner = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local isWaitedFor = ARGV[3 + (i - 2) / 3] == '1' and redis.call('EXISTS', owner) == 1
  if not isWaitedFor and redis.call('LREM', base .. 'wait', 1, string.sub(done, #base + 1)) == 1 then
    redis.call('DEL', done, done .. ':dependencies', done .. ':processed', done .. ':failed', done .. ':logs')
  end
end
return 'Done'

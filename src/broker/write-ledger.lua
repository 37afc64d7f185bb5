--[[
  Writes or deletes a ledger if the proof holds, the revision is the expected one, and the server's time lies in the window; counts the ends
  that the write records, and places the jobs whose slots it dispatches, all or nothing. `bullmq/placing.lua` is put in front.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the ledger: hash of revision, document
  KEYS[3]   the owner markers of the installation: hash from ledger to marker
  KEYS[4]   the subjects of the namespace of which ends were counted: sorted set
  KEYS[5..] for each end to count: its subject's counts, without the hour; then, if there are jobs, what `planPlacing` is given
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   expected revision, 0 for none
  ARGV[4]   'Write' or 'Delete'
  ARGV[5]   document
  ARGV[6]   name of the ledger
  ARGV[7]   marker
  ARGV[8]   not before, ARGV[9] before: in ms, or '' for no bound
  ARGV[10]  how many ends to count
  ARGV[11..] for each end to count its outcome; then, if there are jobs, what `planPlacing` is given

  Reply: { outcome, the server's time in ms, revision and document that were found, if any }; or { 'OtherParent', the server's time, id of
  the first job that is the child of another flow }.
]]
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local proof = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
local stored = redis.call('HMGET', KEYS[2], 'revision', 'document')
local ends = tonumber(ARGV[10])

local function outcome()
  if proof[1] ~= ARGV[1] or proof[2] ~= ARGV[2] then return 'Fenced' end
  if (stored[1] or '0') ~= ARGV[3] then return 'Conflict' end
  if ARGV[8] ~= '' and nowMs < tonumber(ARGV[8]) then return 'TooEarly' end
  if ARGV[9] ~= '' and nowMs >= tonumber(ARGV[9]) then return 'TooLate' end
  local plan, foreign
  if #KEYS > 4 + ends then
    plan, foreign = planPlacing(KEYS, 5 + ends, ARGV, 11 + ends)
    if not plan then return 'OtherParent', foreign end
  end
  if ARGV[4] == 'Delete' then
    redis.call('DEL', KEYS[2])
    redis.call('HDEL', KEYS[3], ARGV[6])
  else
    redis.call('HSET', KEYS[2], 'revision', string.format('%.0f', tonumber(ARGV[3]) + 1), 'document', ARGV[5])
    if redis.call('HGET', KEYS[3], ARGV[6]) ~= ARGV[7] then redis.call('HSET', KEYS[3], ARGV[6], ARGV[7]) end
  end
  if plan then placePlanned(plan) end
  countEnds(nowMs, KEYS[4], KEYS, 5, 4 + ends, ARGV, 11)
  return 'Written'
end

local result, foreign = outcome()
if foreign then return { result, nowMs, foreign } end
-- What was written is known to the writer.
if result == 'Written' or not stored[1] then return { result, nowMs } end
return { result, nowMs, tonumber(stored[1]), stored[2] or '' }

--[[
  Writes or deletes a ledger if the proof holds, the revision is the expected one, the server's time lies in the window, and its concurrency
  group has room; counts the ends that the write records, says how many runs the schedule has in its group, and places the jobs whose slots it
  dispatches, all or nothing. `bullmq/placing.lua` is put in front.

  The group is written with every write of a schedule that is in one, from the same ledger, so that the two never differ: no run starts without
  being counted there, and none that has ended stays counted, whichever process dies.

  KEYS[1]   the dispatcher's record: hash of epoch, holder
  KEYS[2]   the ledger: hash of revision, document
  KEYS[3]   the owner markers of the installation: hash from ledger to marker
  KEYS[4]   the subjects of the namespace of which ends were counted: sorted set
  KEYS[5]   the active runs of schedules in concurrency groups: hash from ledger to '<runs> <group>'
  KEYS[6..] for each end to count: its subject's counts, without the hour; then, if there are jobs, what `planPlacing` is given
  ARGV[1]   epoch, ARGV[2] holder: the proof
  ARGV[3]   expected revision, 0 for none
  ARGV[4]   'Write' or 'Delete'
  ARGV[5]   document
  ARGV[6]   name of the ledger
  ARGV[7]   marker
  ARGV[8]   not before, ARGV[9] before: in ms, or '' for no bound
  ARGV[10]  how many ends to count
  ARGV[11]  '<runs> <group>': the active runs that the ledger has with this write; '0 ' to leave its group; '' if it is and was in none
  ARGV[12]  if the write starts runs: how many the group may have; else ''
  ARGV[13]  how many ledgers have left the group without a write, because their schedules are gone
  ARGV[14..] these ledgers; then for each end to count its outcome; then, if there are jobs, what `planPlacing` is given

  Reply: { outcome, the server's time in ms, revision and document that were found, if any }; or { 'GroupFull', the server's time, { revision
  and document, if any }, { ledger and runs of each other schedule that has runs in the group } }; or { 'OtherParent', the server's time, id
  of the first job that is the child of another flow }.
]]
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local proof = redis.call('HMGET', KEYS[1], 'epoch', 'holder')
local stored = redis.call('HMGET', KEYS[2], 'revision', 'document')
local ends, gone = tonumber(ARGV[10]), tonumber(ARGV[13])
local firstEnd = 14 + gone
local runs, group = string.match(ARGV[11], '^(%d+) (.*)$')

-- The runs of the other schedules in the group, as a list of ledger and runs, and their sum.
local function othersInGroup()
  local left = { [ARGV[6]] = true }
  for i = 14, 13 + gone do left[ARGV[i]] = true end
  local all, others, sum = redis.call('HGETALL', KEYS[5]), {}, 0
  for i = 1, #all, 2 do
    local count, name = string.match(all[i + 1], '^(%d+) (.*)$')
    if name == group and not left[all[i]] then
      others[#others + 1], others[#others + 2] = all[i], tonumber(count)
      sum = sum + tonumber(count)
    end
  end
  return others, sum
end

local function writeGroup(former)
  if gone > 0 then redis.call('HDEL', KEYS[5], unpack(ARGV, 14, 13 + gone)) end
  if runs == '0' then
    if former then redis.call('HDEL', KEYS[5], ARGV[6]) end
  elseif former ~= ARGV[11] then
    redis.call('HSET', KEYS[5], ARGV[6], ARGV[11])
  end
end

local function outcome()
  if proof[1] ~= ARGV[1] or proof[2] ~= ARGV[2] then return 'Fenced' end
  if (stored[1] or '0') ~= ARGV[3] then return 'Conflict' end
  if ARGV[8] ~= '' and nowMs < tonumber(ARGV[8]) then return 'TooEarly' end
  if ARGV[9] ~= '' and nowMs >= tonumber(ARGV[9]) then return 'TooLate' end
  -- Reading it also proves that the key has the expected type.
  local former = runs and redis.call('HGET', KEYS[5], ARGV[6])
  if ARGV[12] ~= '' then
    local others, sum = othersInGroup()
    if sum + tonumber(runs) > tonumber(ARGV[12]) then return 'GroupFull', others end
  end
  local plan, foreign
  if #KEYS > 5 + ends then
    plan, foreign = planPlacing(KEYS, 6 + ends, ARGV, firstEnd + ends)
    if not plan then return 'OtherParent', foreign end
  end
  if ARGV[4] == 'Delete' then
    redis.call('DEL', KEYS[2])
    redis.call('HDEL', KEYS[3], ARGV[6])
  else
    redis.call('HSET', KEYS[2], 'revision', string.format('%.0f', tonumber(ARGV[3]) + 1), 'document', ARGV[5])
    if redis.call('HGET', KEYS[3], ARGV[6]) ~= ARGV[7] then redis.call('HSET', KEYS[3], ARGV[6], ARGV[7]) end
  end
  if runs then writeGroup(former) end
  if plan then placePlanned(plan) end
  countEnds(nowMs, KEYS[4], KEYS, 6, 5 + ends, ARGV, firstEnd)
  return 'Written'
end

local result, found = outcome()
if result == 'OtherParent' then return { result, nowMs, found } end
if result == 'GroupFull' then return { result, nowMs, stored[1] and { tonumber(stored[1]), stored[2] or '' } or {}, found } end
-- What was written is known to the writer.
if result == 'Written' or not stored[1] then return { result, nowMs } end
return { result, nowMs, tonumber(stored[1]), stored[2] or '' }

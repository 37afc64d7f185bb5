--[[
  Claims, or renews, the dispatch of slots in namespaces.

  KEYS      for each: a dispatcher's record (hash of epoch, holder (absent once released), by, aliveAtMs, closing: '1' if it was
            claimed to close the namespace), the owner markers of the
            installation (hash from name to marker)
  ARGV      for each: epoch, holder, by, patience in ms, 'Renew' if the claimant holds it already, 'Borrow' if it
            wants it for a moment, 'Close' if that is to close the namespace, or '', name of the dispatcher, its marker

  Reply: for each, { 'Held' }, or { 'HeldByOther', its holder }, or { 'Behind', the epoch that is not lower }.
  The clock is the server's. An epoch never goes down, whoever holds it. A record that is renewed and is not there was removed with all that
  its namespace had: only a higher epoch begins it again, so that what a former holder still sends has no effect.
  Who wants it for a moment gets what nobody holds, the claimant itself included. Who got it to close the namespace loses that by the next
  claim, of whoever it is.
]]
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function claim(key, owners, epoch, holder, by, patienceMs, mode, name, marker)
  local record = redis.call('HMGET', key, 'epoch', 'holder', 'by', 'aliveAtMs', 'closing')
  local known, heldBy, knownBy, aliveAtMs = tonumber(record[1] or '0'), record[2], record[3], tonumber(record[4] or '0')
  if mode == 'Renew' and not record[1] then return { 'Behind', tonumber(epoch) } end
  if heldBy and (heldBy ~= holder or mode == 'Borrow' or (mode == 'Close' and not record[5])) then
    -- Also when the clock went back: by more than the patience it cannot be trusted to say anything.
    if math.abs(nowMs - aliveAtMs) <= patienceMs then return { 'HeldByOther', heldBy } end
  end
  local isOwn = known == tonumber(epoch) and knownBy == by and (not heldBy or heldBy == holder)
  if tonumber(epoch) <= known and not isOwn then return { 'Behind', known } end
  redis.call('HSET', key, 'epoch', epoch, 'holder', holder, 'by', by, 'aliveAtMs', string.format('%.0f', nowMs))
  if mode == 'Close' then
    redis.call('HSET', key, 'closing', '1')
  elseif record[5] then
    redis.call('HDEL', key, 'closing')
  end
  if redis.call('HGET', owners, name) ~= marker then redis.call('HSET', owners, name, marker) end
  return { 'Held' }
end

local reply = {}
for i = 1, #KEYS / 2 do
  local epoch, holder, by, patienceMs, mode, name, marker = unpack(ARGV, (i - 1) * 7 + 1, i * 7)
  reply[i] = claim(KEYS[2 * i - 1], KEYS[2 * i], epoch, holder, by, tonumber(patienceMs), mode, name, marker)
end
return reply

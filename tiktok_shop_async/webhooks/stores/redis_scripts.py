"""The Lua scripts of `RedisWebhookStore`: each is one atomic step, by the clock of Redis.

``KEYS`` are three sorted sets of event keys by time: waiting events, dead letters and blocked
events. ``ARGV[1]`` is the prefix of all other keys: those of events, and of remembered names.

Of the events of one object, one has its turn: it waits to be claimed, or is claimed. The others are
blocked, in a queue by the position in which they were added.
"""

_BEGIN = """
local waiting, dead, blocked, prefix = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function event(key) return prefix .. 'event:' .. key end
local function named(name) return prefix .. 'name:' .. name end
local function score_of(key)
    return redis.call('ZSCORE', waiting, key) or redis.call('ZSCORE', blocked, key)
end
local function due(key, seconds)
    redis.call('ZADD', waiting, string.format('%.6f', now + seconds), key)
end
local function turn(object) return prefix .. 'turn:' .. object end
local function queue(object) return prefix .. 'queue:' .. object end
local function newest(state) return prefix .. 'state:' .. state end
local function block(object, position, key)
    redis.call('ZADD', queue(object), position, key)
    redis.call('ZADD', blocked, string.format('%.6f', now), key)
end
local function exists(key) return redis.call('EXISTS', event(key)) == 1 end
-- Events that were evicted, or deleted by others, are skipped.
local function unblock_next(object)
    local current = redis.call('GET', turn(object))
    if current then
        if exists(current) and redis.call('ZSCORE', waiting, current) then return end
        redis.call('DEL', turn(object))
        redis.call('ZREM', waiting, current)
    end
    local first
    repeat
        first = redis.call('ZPOPMIN', queue(object))[1]
        if not first then return end
        redis.call('ZREM', blocked, first)
    until exists(first)
    redis.call('SET', turn(object), first)
    due(first, 0)
end
local function unblock_all(objects)
    for _, object in ipairs(objects) do unblock_next(object) end
end
local function end_turn(object, key)
    if redis.call('GET', turn(object)) == key then redis.call('DEL', turn(object)) end
    unblock_next(object)
end
local function is_held(key, claim)
    return redis.call('HGET', event(key), 'claim') == claim and redis.call('ZSCORE', waiting, key)
end
"""

# A driver may send it twice if a connection broke: the second one then finds its own writer.
ADD = (
    _BEGIN
    + """
local key, id, body, app_key, writer, retention, max_waiting = unpack(ARGV, 2, 8)
local object, state, changed_at = unpack(ARGV, 9, 11)
local known = redis.call('GET', named(key))
if known then return known == writer and 1 or 0 end
if exists(key) then return 0 end
local aliases = tonumber(ARGV[12])
for at = 13 + aliases, #ARGV do
    if redis.call('EXISTS', named(ARGV[at])) == 1 then return 0 end
end
local count = redis.call('ZCARD', waiting) + redis.call('ZCARD', blocked)
if count >= tonumber(max_waiting) then return -1 end
redis.call('SET', named(key), writer, 'PX', retention)
for at = 13, 12 + aliases do redis.call('SET', named(ARGV[at]), '', 'PX', retention) end
redis.call('HSET', event(key), 'id', id, 'body', body, 'app_key', app_key, 'attempts', 0,
    'claim', '', 'received_at', string.format('%.6f', now))
if object == '' then
    due(key, 0)
    return 1
end
local position = redis.call('INCR', prefix .. 'position')
redis.call('HSET', event(key), 'object', object, 'position', position)
if state ~= '' then redis.call('HSET', event(key), 'state', state, 'changed_at', changed_at) end
block(object, position, key)
unblock_next(object)
return 1
"""
)

CLAIM = (
    _BEGIN
    + """
local claimed = {}
local limit, lease, claim = unpack(ARGV, 2, 4)
local keys = redis.call('ZRANGEBYSCORE', waiting, '-inf', string.format('%.6f', now),
    'LIMIT', 0, limit)
for _, key in ipairs(keys) do
    local kept = redis.call('HMGET', event(key), 'id', 'body', 'app_key', 'received_at', 'object',
        'state', 'changed_at')
    if kept[2] then
        local attempt = redis.call('HINCRBY', event(key), 'attempts', 1)
        redis.call('HSET', event(key), 'claim', claim)
        due(key, lease)
        local latest = kept[6] and redis.call('GET', newest(kept[6]))
        local is_outdated = latest and tonumber(kept[7]) < tonumber(latest) and 1 or 0
        claimed[#claimed + 1] = {key, kept[1], kept[2], kept[3], kept[4], attempt, kept[5],
            is_outdated}
    else
        redis.call('ZREM', waiting, key)
    end
end
return claimed
"""
)

RENEW = (
    _BEGIN
    + """
for at = 3, #ARGV, 2 do
    if is_held(ARGV[at], ARGV[at + 1]) then due(ARGV[at], ARGV[2]) end
end
"""
)

FINISH = (
    _BEGIN
    + """
redis.call('ZREM', waiting, ARGV[2])
redis.call('ZREM', dead, ARGV[2])
redis.call('DEL', event(ARGV[2]))
"""
)

FINISH_IN_ORDER = (
    _BEGIN
    + """
local key, claim, retention = unpack(ARGV, 2, 4)
if is_held(key, claim) then
    local object, state, changed_at = unpack(redis.call('HMGET', event(key), 'object', 'state',
        'changed_at'))
    if state then
        local latest = redis.call('GET', newest(state))
        if latest and tonumber(latest) > tonumber(changed_at) then changed_at = latest end
        redis.call('SET', newest(state), changed_at, 'PX', retention)
    end
    redis.call('ZREM', waiting, key)
    redis.call('DEL', event(key))
    end_turn(object, key)
end
"""
)

PUT_BACK = (
    _BEGIN
    + """
local key, claim, after, uncounted, error = unpack(ARGV, 2, 6)
if is_held(key, claim) then
    due(key, after)
    redis.call('HSET', event(key), 'claim', '')
    if error ~= '' then redis.call('HSET', event(key), 'error', error) end
    if uncounted == '1' then redis.call('HINCRBY', event(key), 'attempts', -1) end
end
"""
)

DEAD_LETTER = (
    _BEGIN
    + """
local key, claim, error = unpack(ARGV, 2, 4)
if is_held(key, claim) then
    local moment = string.format('%.6f', now)
    redis.call('ZREM', waiting, key)
    redis.call('ZADD', dead, moment, key)
    redis.call('HSET', event(key), 'claim', '', 'error', error, 'died_at', moment)
    local object = redis.call('HGET', event(key), 'object')
    if object then end_turn(object, key) end
end
"""
)

OUTSTANDING = (
    _BEGIN
    + """
local outstanding = {}
for at = 2, #ARGV do
    if score_of(ARGV[at]) then outstanding[#outstanding + 1] = ARGV[at] end
end
return outstanding
"""
)

WAITING = (
    _BEGIN
    + """
local found = {}
for at = 2, #ARGV do
    local score = score_of(ARGV[at])
    local kept = redis.call('HMGET', event(ARGV[at]), 'id', 'body', 'app_key', 'attempts', 'error',
        'received_at', 'claim')
    if score and kept[2] then
        kept[7] = (kept[7] ~= '' and tonumber(score) > now) and 1 or 0
        found[#found + 1] = {ARGV[at], score, unpack(kept, 1, 7)}
    end
end
return found
"""
)

REPLAY = (
    _BEGIN
    + """
local replayed, objects = 0, {}
for at = 2, #ARGV do
    local key = ARGV[at]
    if redis.call('ZREM', dead, key) == 1 and exists(key) then
        redis.call('HSET', event(key), 'attempts', 0)
        redis.call('HDEL', event(key), 'error', 'died_at')
        local object, position = unpack(redis.call('HMGET', event(key), 'object', 'position'))
        if object then
            block(object, position, key)
            objects[#objects + 1] = object
        else
            due(key, 0)
        end
        replayed = replayed + 1
    end
end
unblock_all(objects)
return replayed
"""
)

REPAIR_ORDER = (
    _BEGIN
    + """
local objects = {}
for at = 2, #ARGV do
    local key = ARGV[at]
    local object, position = unpack(redis.call('HMGET', event(key), 'object', 'position'))
    if not object then
        redis.call('ZREM', blocked, key)
    elseif redis.call('ZSCORE', blocked, key) then
        redis.call('ZADD', queue(object), position, key)
        objects[#objects + 1] = object
    end
end
unblock_all(objects)
return 0
"""
)

COUNTS = """
return {redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3])}
"""

DISCARD = (
    _BEGIN
    + """
local discarded = 0
for at = 2, #ARGV do
    if redis.call('ZREM', dead, ARGV[at]) == 1 then
        redis.call('DEL', event(ARGV[at]))
        discarded = discarded + 1
    end
end
return discarded
"""
)

MOVE_CURSOR = """
local position = tonumber(redis.call('GET', KEYS[1]))
if not position or position < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
"""

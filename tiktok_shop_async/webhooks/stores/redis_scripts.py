"""What `RedisWebhookStore` has Redis do in one go, by the clock of Redis.

``KEYS`` are the events that wait and the dead letters, each a sorted set of keys by time.
``ARGV[1]`` begins the names of all other keys: those of events, and the names that are remembered.
"""

_BEGIN = """
local waiting, dead, prefix = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function event(key) return prefix .. 'event:' .. key end
local function named(name) return prefix .. 'name:' .. name end
local function due(key, seconds)
    redis.call('ZADD', waiting, string.format('%.6f', now + seconds), key)
end
local function is_held(key, claim)
    return redis.call('HGET', event(key), 'claim') == claim and redis.call('ZSCORE', waiting, key)
end
"""

# A driver may send it twice, when a connection broke: the writer then finds what it wrote.
ADD = (
    _BEGIN
    + """
local key, id, body, app_key, writer, memory, room = unpack(ARGV, 2, 8)
local known = redis.call('GET', named(key))
if known then return known == writer and 1 or 0 end
if redis.call('EXISTS', event(key)) == 1 then return 0 end
local aliases = tonumber(ARGV[9])
for at = 10 + aliases, #ARGV do
    if redis.call('EXISTS', named(ARGV[at])) == 1 then return 0 end
end
if redis.call('ZCARD', waiting) >= tonumber(room) then return -1 end
redis.call('SET', named(key), writer, 'PX', memory)
for at = 10, 9 + aliases do redis.call('SET', named(ARGV[at]), '', 'PX', memory) end
redis.call('HSET', event(key), 'id', id, 'body', body, 'app_key', app_key, 'attempts', 0,
    'claim', '', 'received_at', string.format('%.6f', now))
due(key, 0)
return 1
"""
)

CLAIM = (
    _BEGIN
    + """
local claimed = {}
local most, lease, claim = unpack(ARGV, 2, 4)
local keys = redis.call('ZRANGEBYSCORE', waiting, '-inf', string.format('%.6f', now),
    'LIMIT', 0, most)
for _, key in ipairs(keys) do
    local kept = redis.call('HMGET', event(key), 'id', 'body', 'app_key', 'received_at')
    if kept[2] then
        local attempt = redis.call('HINCRBY', event(key), 'attempts', 1)
        redis.call('HSET', event(key), 'claim', claim)
        due(key, lease)
        claimed[#claimed + 1] = {key, kept[1], kept[2], kept[3], kept[4], attempt}
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

PUT_BACK = (
    _BEGIN
    + """
local key, claim, after, uncounted = unpack(ARGV, 2, 5)
if is_held(key, claim) then
    due(key, after)
    redis.call('HSET', event(key), 'claim', '')
    if uncounted == '1' then redis.call('HINCRBY', event(key), 'attempts', -1) end
end
"""
)

BURY = (
    _BEGIN
    + """
local key, claim, error = unpack(ARGV, 2, 4)
if is_held(key, claim) then
    local moment = string.format('%.6f', now)
    redis.call('ZREM', waiting, key)
    redis.call('ZADD', dead, moment, key)
    redis.call('HSET', event(key), 'claim', '', 'error', error, 'died_at', moment)
end
"""
)

REPLAY = (
    _BEGIN
    + """
local replayed = 0
for at = 2, #ARGV do
    if redis.call('ZREM', dead, ARGV[at]) == 1 then
        redis.call('HSET', event(ARGV[at]), 'attempts', 0)
        redis.call('HDEL', event(ARGV[at]), 'error', 'died_at')
        due(ARGV[at], 0)
        replayed = replayed + 1
    end
end
return replayed
"""
)

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

"""The decisions of `rate_state` and `budget` in Lua: each is one atomic step of Redis.

Times are Unix seconds of Redis. Numbers are passed as text of 17 digits: in a reply, Lua would
truncate them to integers.

The clock of Redis may be set. If it was set back, all times of a key are moved back with it, so
that a delay lasts as long as was left when the key was last written. The end of an hour stays,
unless it would be more than an hour away, so that the budget gains no calls. A clock that was set
forward cannot be distinguished from time that passed.
"""

from __future__ import annotations

from .. import budget, rate_state
from ..recent_calls import WINDOW

DECIDE = """
local REDUCTION, PLATEAU, LOWERED_PLATEAU = @REDUCTION@, @PLATEAU@, @LOWERED_PLATEAU@
local RECOVERY, RECOVERY_CALLS = @RECOVERY@, @RECOVERY_CALLS@
local PROBING, PROBING_CALLS = @PROBING@, @PROBING_CALLS@
local GROWTH_POWER, MAX_GROWTH = @GROWTH_POWER@, @MAX_GROWTH@
local MIN_RATE, MAX_RATE, MAX_HOLD = @MIN_RATE@, @MAX_RATE@, @MAX_HOLD@
local MAX_LATENESS, MIN_MEASURABLE_CALLS = @MAX_LATENESS@, @MIN_MEASURABLE_CALLS@
local WINDOW = @WINDOW@
local HOUR, PAUSE, TRIAL = @HOUR@, @PAUSE@, @TRIAL@

local event, options = ARGV[1], cjson.decode(ARGV[2])
local now = options.now
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end
local function text(number) return string.format('%.17g', number) end

local TIMES = {at = true, next_at = true, held_until = true, since = true, paused_until = true}
local function move_back(key, values, seconds)
    for field, value in pairs(values) do
        if TIMES[field] then values[field] = value - seconds end
        if field == 'ends_at' then values[field] = math.min(value, now + HOUR) end
        if values[field] ~= value then redis.call('HSET', key, field, text(values[field])) end
    end
end
local function load(key, fields)
    local found, values = {}, redis.call('HMGET', key, unpack(fields))
    for n, field in ipairs(fields) do found[field] = tonumber(values[n] or '') or 0 end
    if found.at > now then move_back(key, found, found.at - now) end
    return found
end
local function save(key, fields, values, seconds)
    values.at = now
    local flat = {}
    for _, field in ipairs(fields) do
        flat[#flat + 1] = field
        flat[#flat + 1] = text(values[field])
    end
    redis.call('HSET', key, unpack(flat))
    redis.call('EXPIRE', key, math.ceil(seconds))
end

local LIMIT = {'at', 'low', 'plateau', 'used', 'next_at', 'held_until', 'round', 'fixed'}
local RECENT = {'at', 'calls', 'before', 'since'}
local ACCOUNT = {'at', 'ends_at', 'calls', 'paused_until', 'on_trial'}

local function rate_of(limit)
    if limit.fixed == 1 then return limit.low end
    local recovery = math.max(RECOVERY, RECOVERY_CALLS / limit.plateau)
    local left = 1 - limit.used / recovery
    if left > 0 then return limit.plateau - (limit.plateau - limit.low) * left ^ 3 end
    local beyond = (limit.used - recovery) / math.max(PROBING, PROBING_CALLS / limit.plateau)
    local growth = beyond < 1 and beyond ^ GROWTH_POWER or 1 + GROWTH_POWER * (beyond - 1)
    return math.min(MAX_RATE, limit.plateau * math.exp(math.min(growth, MAX_GROWTH)))
end
local function initial_state(rate, fixed)
    return {low = rate, plateau = rate, used = math.max(RECOVERY, RECOVERY_CALLS / rate),
            next_at = 0, held_until = 0, round = 0, fixed = fixed and 1 or 0}
end
local function hold(limit, seconds)
    if seconds then
        limit.held_until = math.max(limit.held_until, now + math.min(seconds, MAX_HOLD))
    end
end
local function reduce_rate(limit, retry_after)
    if limit.fixed == 0 then
        local rate = rate_of(limit)
        limit.low = math.max(MIN_RATE, rate * REDUCTION)
        local in_few_steps = retry_after and rate <= limit.plateau
        limit.plateau = math.max(limit.low, rate * (in_few_steps and LOWERED_PLATEAU or PLATEAU))
        limit.used = 0
        limit.next_at = limit.next_at + (1 / limit.low - 1 / rate)
    end
    limit.round = limit.round + 1
end
local function start_window(recent)
    if now - recent.since >= WINDOW then
        recent.before = now - recent.since < 2 * WINDOW and recent.calls or 0
        recent.calls = 0
        recent.since = now
    end
end

local limit, account
if redis.call('EXISTS', KEYS[1]) == 1 then
    limit = load(KEYS[1], LIMIT)
elseif options.start then
    limit = initial_state(options.start, options.fixed)
end
account = load(KEYS[3], ACCOUNT)

local function decision(status, ...)
    local reply = {status, text(now)}
    for _, number in ipairs({...}) do reply[#reply + 1] = text(number) end
    return reply
end
local function save_limit()
    save(KEYS[1], LIMIT, limit, options.ttl + math.max(0, limit.held_until - now)
         + math.max(0, limit.next_at - now))
end
local function save_account()
    save(KEYS[3], ACCOUNT, account, HOUR + math.max(HOUR, account.paused_until - now))
end

if event == 'throttled' then
    if options.quota then
        local seconds = math.min(math.max(PAUSE, options.retry_after or 0), options.max_pause)
        account.paused_until = math.max(account.paused_until, now + seconds)
        account.on_trial = 1
        save_account()
        return decision('paused', account.paused_until)
    end
    if limit then
        if options.round >= limit.round then reduce_rate(limit, options.retry_after) end
    else
        local recent = load(KEYS[2], RECENT)
        start_window(recent)
        local per_second = math.max(recent.calls + options.calls, recent.before)
        if per_second < MIN_MEASURABLE_CALLS then
            limit = initial_state(options.first_rate, false)
            limit.round = 1
        else
            limit = initial_state(per_second, false)
            reduce_rate(limit, options.retry_after)
        end
    end
    hold(limit, options.retry_after)
    save_limit()
    return decision('paced', 0, 0, 1 / rate_of(limit), limit.round, limit.held_until,
                    limit.next_at)
end

local wanted = options.wanted
if now < account.paused_until then return decision('paused', account.paused_until) end
if now >= account.ends_at then
    account.ends_at = (math.floor(now / HOUR) + 1) * HOUR
    account.calls = 0
end
if (options.given_back or 0) > 0 then
    account.calls = math.max(0, account.calls - options.given_back)
    save(KEYS[3], ACCOUNT, account, 2 * HOUR)
end
if options.allowed and account.calls >= options.allowed then
    return decision('spent', account.ends_at)
end
if account.on_trial == 1 then wanted = math.min(wanted, 1) end

local reply
if limit then
    local rate = rate_of(limit)
    local interval = 1 / rate
    local late = options.backlog and MAX_LATENESS or (options.burst - 1) * interval
    local first = math.max(limit.next_at, limit.held_until, now - late)
    local within = 0
    if first <= now + options.ahead then
        within = math.floor((now + options.ahead - first) * rate + 1e-9) + 1
    end
    wanted = math.min(wanted, within)
    if wanted > 0 then
        if options.backlog or first > now then limit.used = limit.used + wanted * interval end
        limit.next_at = first + wanted * interval
        save_limit()
    end
    reply = decision('paced', wanted, first, interval, limit.round, limit.held_until,
                     limit.next_at)
else
    local recent = load(KEYS[2], RECENT)
    start_window(recent)
    recent.calls = recent.calls + options.calls + wanted
    save(KEYS[2], RECENT, recent, 4 * WINDOW)
    reply = decision('open', wanted)
end

if wanted > 0 and (options.allowed or account.paused_until > 0) then
    account.calls = account.calls + wanted
    if account.on_trial == 1 then
        account.on_trial = 0
        account.paused_until = now + TRIAL
    end
    save_account()
end
return reply
"""
for module in (budget, rate_state):
    for name, value in vars(module).items():
        if name.isupper():
            DECIDE = DECIDE.replace(f"@{name}@", repr(value))
DECIDE = DECIDE.replace("@WINDOW@", repr(WINDOW))

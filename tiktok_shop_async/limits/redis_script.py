"""The decisions of `learning.py` and `budget.py` in Lua: one atomic step of Redis each.

Times are Unix seconds of Redis. A number that is handed over is text of 17 digits: as a reply Lua
would cut it down to an integer.

The clock of Redis may be set. When it was set back, all times of a key move back with it: what is
left of a delay is what was left when the key was last written. The end of an hour stays, unless it
would be farther away than an hour, so that no calls are gained. A clock that was set forward cannot
be told from time that passed.
"""

from __future__ import annotations

from . import budget, learning
from .recent import WINDOW

DECIDE = """
local REDUCTION, PLATEAU, FALLEN, PATIENCE = @REDUCTION@, @PLATEAU@, @FALLEN@, @PATIENCE@
local RECOVERY, RECOVERY_CALLS = @RECOVERY@, @RECOVERY_CALLS@
local PROBING, PROBING_CALLS, MOST_GROWTH = @PROBING@, @PROBING_CALLS@, @MOST_GROWTH@
local LOWEST, HIGHEST, LONGEST_HOLD = @LOWEST@, @HIGHEST@, @LONGEST_HOLD@
local LATENESS, TOO_FEW, WINDOW = @LATENESS@, @TOO_FEW@, @WINDOW@
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

local PACE = {'at', 'low', 'plateau', 'used', 'next_at', 'held_until', 'round', 'fixed'}
local RECENT = {'at', 'calls', 'before', 'since'}
local ACCOUNT = {'at', 'ends_at', 'calls', 'paused_until', 'on_trial'}

local function rate_of(pace)
    if pace.fixed == 1 then return pace.low end
    local recovery = math.max(RECOVERY, RECOVERY_CALLS / pace.plateau)
    local left = 1 - pace.used / recovery
    if left > 0 then return pace.plateau - (pace.plateau - pace.low) * left ^ 3 end
    local beyond = (pace.used - recovery) / math.max(PROBING, PROBING_CALLS / pace.plateau)
    local growth = beyond < 1 and beyond ^ PATIENCE or 1 + PATIENCE * (beyond - 1)
    return math.min(HIGHEST, pace.plateau * math.exp(math.min(growth, MOST_GROWTH)))
end
local function starting(rate, fixed)
    return {low = rate, plateau = rate, used = math.max(RECOVERY, RECOVERY_CALLS / rate),
            next_at = 0, held_until = 0, round = 0, fixed = fixed and 1 or 0}
end
local function hold(pace, seconds)
    if seconds then
        pace.held_until = math.max(pace.held_until, now + math.min(seconds, LONGEST_HOLD))
    end
end
local function reduce(pace, retry_after)
    if pace.fixed == 0 then
        local rate = rate_of(pace)
        pace.low = math.max(LOWEST, rate * REDUCTION)
        local in_few = retry_after and rate <= pace.plateau
        pace.plateau = math.max(pace.low, rate * (in_few and FALLEN or PLATEAU))
        pace.used = 0
        pace.next_at = pace.next_at + (1 / pace.low - 1 / rate)
    end
    pace.round = pace.round + 1
end
local function roll(recent)
    if now - recent.since >= WINDOW then
        recent.before = now - recent.since < 2 * WINDOW and recent.calls or 0
        recent.calls = 0
        recent.since = now
    end
end

local pace, account
if redis.call('EXISTS', KEYS[1]) == 1 then
    pace = load(KEYS[1], PACE)
elseif options.start then
    pace = starting(options.start, options.fixed)
end
account = load(KEYS[3], ACCOUNT)

local function answer(status, ...)
    local reply = {status, text(now)}
    for _, number in ipairs({...}) do reply[#reply + 1] = text(number) end
    return reply
end
local function save_pace()
    save(KEYS[1], PACE, pace, options.forget_after + math.max(0, pace.held_until - now)
         + math.max(0, pace.next_at - now))
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
        return answer('paused', account.paused_until)
    end
    if pace then
        if options.round >= pace.round then reduce(pace, options.retry_after) end
    else
        local recent = load(KEYS[2], RECENT)
        roll(recent)
        local per_second = math.max(recent.calls + options.calls, recent.before)
        if per_second < TOO_FEW then
            pace = starting(options.first_rate, false)
            pace.round = 1
        else
            pace = starting(per_second, false)
            reduce(pace, options.retry_after)
        end
    end
    hold(pace, options.retry_after)
    save_pace()
    return answer('paced', 0, 0, 1 / rate_of(pace), pace.round, pace.held_until, pace.next_at)
end

local wanted = options.wanted
if now < account.paused_until then return answer('paused', account.paused_until) end
if now >= account.ends_at then
    account.ends_at = (math.floor(now / HOUR) + 1) * HOUR
    account.calls = 0
end
if (options.given_back or 0) > 0 then
    account.calls = math.max(0, account.calls - options.given_back)
    save(KEYS[3], ACCOUNT, account, 2 * HOUR)
end
if options.allowed and account.calls >= options.allowed then
    return answer('spent', account.ends_at)
end
if account.on_trial == 1 then wanted = math.min(wanted, 1) end

local reply
if pace then
    local rate = rate_of(pace)
    local interval = 1 / rate
    local late = options.backlog and LATENESS or (options.burst - 1) * interval
    local first = math.max(pace.next_at, pace.held_until, now - late)
    local within = 0
    if first <= now + options.ahead then
        within = math.floor((now + options.ahead - first) * rate + 1e-9) + 1
    end
    wanted = math.min(wanted, within)
    if wanted > 0 then
        if options.backlog or first > now then pace.used = pace.used + wanted * interval end
        pace.next_at = first + wanted * interval
        save_pace()
    end
    reply = answer('paced', wanted, first, interval, pace.round, pace.held_until, pace.next_at)
else
    local recent = load(KEYS[2], RECENT)
    roll(recent)
    recent.calls = recent.calls + options.calls + wanted
    save(KEYS[2], RECENT, recent, 4 * WINDOW)
    reply = answer('open', wanted)
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
for module in (budget, learning):
    for name, value in vars(module).items():
        if name.isupper():
            DECIDE = DECIDE.replace(f"@{name}@", repr(value))
DECIDE = DECIDE.replace("@WINDOW@", repr(WINDOW))

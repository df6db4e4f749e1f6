-- Every step of the Redis store that must be atomic. Called with the monitor's prefix as the only
-- key; ARGV[1] names the step. docs/redis.md lists the keys.
--
-- Each step may be sent twice, because an answer can be lost: those that would do harm carry the
-- caller's id and a number that grows, and are done once for each number.

local prefix = KEYS[1]
local call = redis.call
local SLOT_SECONDS = 7 * 24 * 3600
local JOB_BYTES = 200 -- about what a job takes beside its texts

local open, due, leases, lapsed = prefix .. 'open', prefix .. 'due', prefix .. 'leases', prefix .. 'lapsed'
local jobs, done, dead = prefix .. 'jobs', prefix .. 'done', prefix .. 'dead'
local GROUP = 'act'
local WAKES_KEPT = 200
local counters = prefix .. 'counters'

local function space_key(space) return prefix .. 'space:' .. space end
local function order_key(space) return prefix .. 'order:' .. space end
local function job_key(id) return prefix .. 'job:' .. id end
local function file_key(file) return prefix .. 'file:' .. file end
local function lease_key(role) return prefix .. 'lease:' .. role end

local bytes = 0 -- how much this step adds to the state

local function count_bytes()
    if bytes ~= 0 then call('HINCRBY', counters, 'bytes', string.format('%.0f', bytes)) end
end

local function is_held(id, client) return call('HGET', job_key(id), 'owner') == client end

-- Tells the other processes that a role has something to do; by: who needs not be told.
local function wake(role, by)
    call('XADD', prefix .. 'wake', 'MAXLEN', '~', WAKES_KEPT, '*', 'r', role, 'c', by)
end

-- Nobody has the job any more; whether it may be taken is the caller's affair.
local function let_go(id)
    local entry = call('HGET', job_key(id), 'entry')
    if entry then
        call('XACK', jobs, GROUP, entry)
        call('XDEL', jobs, entry)
    end
    call('ZREM', leases, id)
    call('SREM', lapsed, id)
    call('HDEL', job_key(id), 'owner', 'entry')
end

local function make_due(id) call('ZADD', due, call('HGET', job_key(id), 'due'), id) end

local function hold(id, until_ms)
    if call('SREM', lapsed, id) == 1 then call('ZREM', due, id) end
    call('ZADD', leases, until_ms, id)
end

-- The group's consumer has it from now on: the next of the stream, or what somebody else let lapse.
local function give(id, client, until_ms)
    local entry = call('HGET', job_key(id), 'entry')
    if entry then
        call('XCLAIM', jobs, GROUP, client, 0, entry, 'JUSTID')
    else
        entry = call('XADD', jobs, '*', 'id', id)
        call('XREADGROUP', 'GROUP', GROUP, client, 'COUNT', 1, 'STREAMS', jobs, '>')
    end
    call('ZREM', due, id)
    call('SREM', lapsed, id)
    call('ZADD', leases, until_ms, id)
    call('HSET', job_key(id), 'owner', client, 'entry', entry)
end

local function set_text(id, field, text)
    bytes = bytes + #text - call('HSTRLEN', job_key(id), field)
    call('HSET', job_key(id), field, text)
end

local function job_row(id)
    local row = call('HMGET', job_key(id), 'file', 'due', 'attempts', 'body', 'outcome', 'ended')
    return { id, row[1], row[2], row[3], row[4], row[5], row[6] }
end

-- It waits from now on; and it is its turn at once if its file has no other.
local function enqueue(id, file, due_ms)
    call('ZADD', open, 0, id)
    if file ~= '' then
        local others = call('ZCARD', file_key(file))
        call('ZADD', file_key(file), 0, id)
        if others > 0 then return end
    end
    call('ZADD', due, due_ms, id)
end

local function is_dead(id, ended)
    local row = call('HMGET', job_key(id), 'letter', 'ended')
    return row[1] and row[2] == ended
end

local function leave_dead(id)
    call('XDEL', dead, call('HGET', job_key(id), 'letter'))
    call('HDEL', job_key(id), 'letter')
end

-- A number in 8 bytes, as the store's keys are.
local function number_of(key)
    local number = 0
    for i = 1, #key do number = number * 256 + string.byte(key, i) end
    return number
end

-- ---- Transactions: a list of changes; first all are checked, then all are made ----

local sizes = { P = 3, D = 2, C = 3, N = 2, I = 1, J = 5, S = 5, R = 5, E = 7, A = 3, X = 4, F = 3, U = 2 }

local function check_held(client, id)
    if not is_held(id, client) then return { 'not taken', id } end
end

local function check_dead(_, at)
    if not is_dead(ARGV[at], ARGV[at + 1]) then return { 'not dead', ARGV[at] } end
end

local checks = {
    -- What the transaction read, and changes, is still so.
    C = function(_, at) if call('HGET', space_key(ARGV[at]), ARGV[at + 1]) ~= ARGV[at + 2] then return { 'conflict' } end end,
    N = function(_, at) if call('HEXISTS', space_key(ARGV[at]), ARGV[at + 1]) == 1 then return { 'conflict' } end end,
    I = function(_, at) if (call('HGET', counters, 'job') or '') ~= ARGV[at] then return { 'conflict' } end end,
    -- The filter was where this transaction began.
    U = function(_, at)
        local cursor = call('HGET', space_key('meta'), 'cursor') or ''
        if cursor ~= ARGV[at] then return { 'moved', cursor } end
    end,
    -- The role is still the caller's.
    F = function(_, at)
        local row = call('HMGET', lease_key(ARGV[at]), 'holder', 'token', 'member')
        if row[1] ~= ARGV[at + 1] or row[2] ~= ARGV[at + 2] then return { 'fenced', ARGV[at], row[3] or '' } end
    end,
    S = function(client, at) return check_held(client, ARGV[at]) end,
    R = function(client, at) return check_held(client, ARGV[at]) end,
    E = function(client, at) return check_held(client, ARGV[at]) end,
    A = check_dead,
    X = check_dead,
}

local wakes = {} -- roles that get something to do

local function put(space, key, value)
    if space == 'inbox' then wakes.filter = true end
    bytes = bytes + #value - call('HSTRLEN', space_key(space), key)
    if call('HSET', space_key(space), key, value) == 1 then
        call('ZADD', order_key(space), 0, key)
        bytes = bytes + #key
    end
end

local changes = {
    P = put,
    D = function(space, key)
        local old = call('HSTRLEN', space_key(space), key)
        if call('HDEL', space_key(space), key) == 1 then
            call('ZREM', order_key(space), key)
            bytes = bytes - old - #key
        end
    end,
    J = function(id, file, due_ms, attempts, body)
        call('HSET', job_key(id), 'file', file, 'due', due_ms, 'attempts', attempts, 'body', body)
        call('HSET', counters, 'job', id)
        bytes = bytes + #file + #body + JOB_BYTES
        enqueue(id, file, due_ms)
        wakes.act = true
    end,
    S = function(id, attempts, has_body, body, until_ms)
        call('HSET', job_key(id), 'attempts', attempts)
        if has_body == '1' then set_text(id, 'body', body) end
        hold(id, until_ms)
    end,
    R = function(id, attempts, has_body, body, due_ms)
        call('HSET', job_key(id), 'attempts', attempts, 'due', due_ms)
        if has_body == '1' then set_text(id, 'body', body) end
        let_go(id)
        make_due(id)
        wakes.act = true
    end,
    E = function(id, attempts, has_body, body, where, now, outcome)
        local file = call('HGET', job_key(id), 'file')
        call('HSET', job_key(id), 'attempts', attempts, 'ended', now)
        if has_body == '1' then set_text(id, 'body', body) end
        set_text(id, 'outcome', outcome)
        let_go(id)
        call('ZREM', due, id)
        call('ZREM', open, id)
        if where == 'done' then
            call('ZADD', done, now, id)
        else
            call('HSET', job_key(id), 'letter', call('XADD', dead, '*', 'id', id))
        end
        if file == '' then return end
        call('ZREM', file_key(file), id)
        local next_id = call('ZRANGE', file_key(file), 0, 0)[1]
        if next_id and not call('HGET', job_key(next_id), 'owner') then
            make_due(next_id)
            wakes.act = true
        end
    end,
    U = function(before, after)
        if number_of(after) > number_of(before) then put('meta', 'cursor', after) end
    end,
    -- A dead letter is tried again, or dropped.
    A = function(id, _, due_ms)
        set_text(id, 'outcome', '')
        leave_dead(id)
        call('HDEL', job_key(id), 'outcome', 'ended')
        call('HSET', job_key(id), 'attempts', 0, 'due', due_ms)
        enqueue(id, call('HGET', job_key(id), 'file'), due_ms)
        wakes.act = true
    end,
    X = function(id, _, now, outcome)
        set_text(id, 'outcome', outcome)
        call('HSET', job_key(id), 'ended', now)
        leave_dead(id)
        call('ZADD', done, now, id)
    end,
}

local function slot_key(client) return prefix .. 'commit:' .. client end

local function slot_write(client, number, what)
    call('SET', slot_key(client), number .. ' ' .. what, 'EX', SLOT_SECONDS)
end

local function slot_read(client)
    local number, what = string.match(call('GET', slot_key(client)) or '0 none', '^(%d+) (%a+)$')
    return tonumber(number), what
end

local steps = {}

function steps.commit(client, number)
    local last, what = slot_read(client)
    if tonumber(number) <= last then
        return { tonumber(number) == last and what or 'refused' }
    end
    local at = 4
    while ARGV[at] do
        local check = checks[ARGV[at]]
        local refusal = check and check(client, at + 1)
        if refusal then return refusal end
        at = at + 1 + sizes[ARGV[at]]
    end
    at = 4
    while ARGV[at] do
        local change = changes[ARGV[at]]
        if change then
            change(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7])
        end
        at = at + 1 + sizes[ARGV[at]]
    end
    count_bytes()
    for role in pairs(wakes) do wake(role, client) end
    slot_write(client, number, 'done')
    return { 'done' }
end

-- Was this transaction done? If not, it never will be, even if it is still on its way.
function steps.settle(client, number)
    local last, what = slot_read(client)
    if tonumber(number) > last then
        slot_write(client, number, 'refused')
        return 'refused'
    end
    return what
end

-- ---- Jobs ----

local function make_group()
    if call('EXISTS', jobs) == 0 then call('XGROUP', 'CREATE', jobs, GROUP, '0', 'MKSTREAM') end
end

function steps.take(client, number, now, until_ms, most)
    local slot = prefix .. 'take:' .. client
    local last, taken = string.match(call('GET', slot) or '0', '^(%d+)(.*)$')
    local rows = {}
    if tonumber(number) < tonumber(last) then return rows end
    if number == last then
        for id in string.gmatch(taken, '%d+') do
            if is_held(id, client) and call('ZSCORE', leases, id) then rows[#rows + 1] = job_row(id) end
        end
        if #rows > 0 then return rows end
    end
    for _, id in ipairs(call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1000)) do
        call('ZREM', leases, id)
        call('SADD', lapsed, id)
        make_due(id)
    end
    local ids = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
    if #ids == 0 then return rows end
    make_group()
    for _, id in ipairs(ids) do
        give(id, client, until_ms)
        rows[#rows + 1] = job_row(id)
    end
    call('SET', slot, number .. ' ' .. table.concat(ids, ' '), 'EX', SLOT_SECONDS)
    return rows
end

function steps.counters() return { call('HGET', counters, 'job') or '', call('HGET', counters, 'bytes') or '0' } end

function steps.get_dead(id) return call('HEXISTS', job_key(id), 'letter') == 1 and job_row(id) or {} end

function steps.is_dead(id, ended) return is_dead(id, ended) and 1 or 0 end

-- The first that may be taken and the first lease that runs out.
function steps.next_due()
    return { call('ZRANGE', due, 0, 0, 'WITHSCORES')[2] or false, call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2] or false }
end

function steps.prolong(client, id, until_ms)
    if not is_held(id, client) then return 'not taken' end
    hold(id, until_ms)
    return 'done'
end

-- Gives back what a client has taken.
function steps.release(client)
    for _, key in ipairs({ leases, lapsed }) do
        local ids = key == leases and call('ZRANGE', key, 0, -1) or call('SMEMBERS', key)
        for _, id in ipairs(ids) do
            if is_held(id, client) then
                let_go(id)
                make_due(id)
                wakes.act = true
            end
        end
    end
    if wakes.act then wake('act', client) end
    return 'done'
end

-- A client that will not come back. Its slots stay: a step of its may still be under way.
function steps.leave(client)
    steps.release(client)
    if call('EXISTS', jobs) == 1 then call('XGROUP', 'DELCONSUMER', jobs, GROUP, client) end
    return 'done'
end

-- A page of jobs, newest first, behind the one named. Those that wait and those that are taken
-- share a list; the last id of the page comes first in the answer, '' at the end of the list.
function steps.visit(state, behind, count)
    local ids
    if state == 'done' then
        local from = 0
        if behind ~= '' then
            local rank = call('ZREVRANK', done, behind)
            if not rank then return { '' } end
            from = rank + 1
        end
        ids = call('ZREVRANGE', done, from, from + tonumber(count) - 1)
    elseif state == 'dead' then
        local from = '+'
        if behind ~= '' then
            local letter = call('HGET', job_key(behind), 'letter')
            if not letter then return { '' } end
            from = '(' .. letter
        end
        ids = {}
        for _, letter in ipairs(call('XREVRANGE', dead, from, '-', 'COUNT', count)) do
            ids[#ids + 1] = letter[2][2]
        end
    else
        ids = call('ZREVRANGEBYLEX', open, behind == '' and '+' or '(' .. behind, '-', 'LIMIT', 0, count)
    end
    local rows = { ids[#ids] or '' }
    for _, id in ipairs(ids) do
        local is_taken = call('HEXISTS', job_key(id), 'owner') == 1
        if state == 'done' or state == 'dead' or (state == 'taken') == is_taken then
            rows[#rows + 1] = job_row(id)
        end
    end
    return rows
end

function steps.count()
    return { call('ZCARD', open), call('ZCARD', leases) + call('SCARD', lapsed), call('ZCARD', done),
        call('XLEN', dead), tonumber(call('HGET', counters, 'bytes') or '0'),
        call('HLEN', prefix .. 'gaps') }
end

-- ---- Spaces ----

function steps.get(space, key) return call('HGET', space_key(space), key) end

function steps.scan(space, from, count)
    local keys = call('ZRANGEBYLEX', order_key(space), from, '+', 'LIMIT', 0, count)
    local pairs_ = {}
    if #keys == 0 then return pairs_ end
    local values = call('HMGET', space_key(space), unpack(keys))
    for i, key in ipairs(keys) do
        pairs_[2 * i - 1] = key
        pairs_[2 * i] = values[i]
    end
    return pairs_
end

-- History from before a time, and labels before a key. 1: there may be more.
function steps.trim(before_ms, labels_before, limit)
    local ended = call('ZRANGEBYSCORE', done, '-inf', '(' .. before_ms, 'LIMIT', 0, limit)
    for _, id in ipairs(ended) do
        for _, field in ipairs({ 'file', 'body', 'outcome' }) do
            bytes = bytes - call('HSTRLEN', job_key(id), field)
        end
        bytes = bytes - JOB_BYTES
        call('DEL', job_key(id))
        call('ZREM', done, id)
    end
    -- Consumers that were killed, and whose jobs others have finished.
    if call('EXISTS', jobs) == 1 then
        for _, row in ipairs(call('XINFO', 'CONSUMERS', jobs, GROUP)) do
            if row[4] == 0 and row[6] > SLOT_SECONDS * 1000 then
                call('XGROUP', 'DELCONSUMER', jobs, GROUP, row[2])
            end
        end
    end
    local labels = call('ZRANGEBYLEX', order_key('labels'), '-', '(' .. labels_before, 'LIMIT', 0, limit)
    for _, key in ipairs(labels) do changes.D('labels', key) end
    count_bytes()
    return (#ended == tonumber(limit) or #labels == tonumber(limit)) and 1 or 0
end

-- Which format the keys have; ours if there are none.
function steps.open(format)
    call('SETNX', prefix .. 'format', format)
    return call('GET', prefix .. 'format')
end

-- The same without leaving a trace; nothing if there are no keys.
function steps.format() return call('GET', prefix .. 'format') end

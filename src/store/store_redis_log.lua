
-- ---- Time, and who may ----

local log, epochs, forwarded = prefix .. 'log', prefix .. 'epochs', prefix .. 'forwarded'
local notes, gaps = prefix .. 'notes', prefix .. 'gaps'
local CHUNK_BYTES = 100 -- about what a chunk takes beside its records
local EPOCHS_KEPT = 1000

local function text_of(number) return string.format('%.0f', number) end

local function server_ms()
    local now = call('TIME')
    return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local function counter(name) return tonumber(call('HGET', counters, name) or '0') end

-- Grants the role to somebody else than before.
local function grant(role, key, token, holder, member, now)
    call('HSET', key, 'token', text_of(token), 'holder', holder, 'member', member)
    if role == 'watch' then
        call('HSET', epochs, text_of(token), text_of(now))
        call('HDEL', epochs, text_of(token - EPOCHS_KEPT))
    end
end

-- Takes or renews. had: the token the caller was last given, '0' for none; seen: the end of a lease
-- which it has watched run out, '' for none. Answers whether it is the caller's, the token, who
-- holds it, and its end.
function steps.lease(role, holder, member, had, ttl, seen)
    local key, now = lease_key(role), server_ms()
    local row = call('HMGET', key, 'token', 'holder', 'member', 'until')
    local token, is_ours = tonumber(row[1] or '0'), row[2] == holder
    if tonumber(had) > token then
        -- The server forgot the last change: whoever was given more goes before.
        grant(role, key, tonumber(had), holder, member, now)
    elseif is_ours then
        call('HSET', key, 'member', member)
    elseif not row[2] or row[2] == '' or row[4] == seen then
        grant(role, key, token + 1, holder, member, now)
    else
        return { 0, row[1], row[3], row[4] }
    end
    call('HSET', key, 'until', text_of(now + tonumber(ttl)))
    row = call('HMGET', key, 'token', 'member', 'until')
    return { 1, row[1], row[2], row[3] }
end

function steps.unlease(role, holder)
    if call('HGET', lease_key(role), 'holder') == holder then
        call('HSET', lease_key(role), 'holder', '', 'member', '')
    end
    return 'done'
end

function steps.look(role)
    local row = call('HMGET', lease_key(role), 'token', 'holder', 'member')
    if not row[2] or row[2] == '' then return {} end
    return { row[1], row[3] }
end

-- ---- The log ----

-- What somebody heard under this token counts only if it was heard before the next holder was told
-- that it holds the lease: up to that time on the caller's clock, or nil for without an end.
local function heard_until(source, token, now_there)
    local row = call('HMGET', lease_key('watch'), 'token', 'holder')
    local current = tonumber(row[1] or '0')
    local ended
    if token < current then
        ended = call('HGET', epochs, text_of(token + 1)) or '0'
    elseif token == current and token > 0 and row[2] ~= '' and row[2] ~= string.match(source, '^%x+') then
        ended = call('HGET', epochs, text_of(token)) or '0'
    end
    return ended and tonumber(ended) - server_ms() + tonumber(now_there)
end

-- Takes chunks off the log's front: such as the filter is done with, and from before a time or
-- until so much is free. 1: there is more to do.
local function trim_log(before_ms, room)
    local cursor = call('HGET', space_key('meta'), 'cursor')
    local judged, bytes_there = number_of(cursor or ''), counter('log_bytes')
    local visited, gone, first = 0, 0, nil
    while visited < 8 * 1024 * 1024 and gone < 1000 do
        local entry = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
        if not entry then
            first = 0
            break
        end
        local last, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
        local size = #fields[6] + CHUNK_BYTES
        if last > judged or not (bytes_there > room or tonumber(fields[4]) < before_ms) then
            if gone > 0 then first = last - tonumber(fields[2]) + 1 end
            visited = nil
            break
        end
        call('XDEL', log, entry[1])
        bytes_there, visited, gone = bytes_there - size, visited + size, gone + 1
    end
    if gone > 0 and not first then
        local entry = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
        first = entry and tonumber(string.match(entry[1], '^%d+')) - tonumber(entry[2][2]) + 1 or 0
    end
    if first then call('HSET', counters, 'first', text_of(first), 'log_bytes', text_of(bytes_there)) end
    return first ~= 0 and visited and 1 or 0
end

local function split_pair(text)
    local a, b = string.match(text or '', '^(%d+) (-?%d+)$')
    return tonumber(a or '0'), tonumber(b or '0')
end

-- Appends what a watching process heard. Each source counts its records; only those that come next
-- are taken, so that a batch sent again changes nothing. ARGV: source, token, now on its clock, its
-- number of the first record, number of records before that are lost to it, the least number that
-- the log goes on with, the log's limit; then chunks: records, time of the first, time of the last,
-- bytes. Answers what happened, up to where the source is done, the log's last number, how many
-- records were refused, and the time of the last before.
function steps.forward(source, token, now_there, from, lost, floor, limit)
    local at, last_ms = split_pair(call('HGET', forwarded, source))
    if tonumber(from) - tonumber(lost) ~= at + 1 then
        return { 'at', text_of(at), text_of(counter('seq')), 0, text_of(last_ms) }
    end
    local size, i = 0, 9
    while ARGV[i] do size, i = size + #ARGV[i + 3] + CHUNK_BYTES, i + 4 end
    local room = tonumber(limit) - size
    if counter('log_bytes') > room then
        trim_log(0, math.min(room, tonumber(limit) * 15 / 16))
        if counter('log_bytes') > room and counter('log_bytes') > 0 then
            return { 'full', text_of(at), text_of(counter('seq')), 0, text_of(last_ms) }
        end
    end
    local ended = heard_until(source, tonumber(token), now_there)
    local seq, what, refused, added, before_ms = math.max(counter('seq'), tonumber(floor)), 'done', 0, 0, last_ms
    local begin = seq
    at, i = at + tonumber(lost), 9
    while ARGV[i] do
        local count, first_ms, end_ms, bytes_ = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
        if ended and tonumber(end_ms) >= ended then
            if count > 1 and first_ms < ended then
                what = 'split'
                break
            end
            refused = refused + count
        else
            -- The first writing: a server without memory refuses it, and with it all.
            call('XADD', log, text_of(seq + count) .. '-0', 'n', count, 't', end_ms, 'd', bytes_)
            if counter('first') == 0 then call('HSET', counters, 'first', text_of(seq + 1)) end
            seq, added = seq + count, added + #bytes_ + CHUNK_BYTES
        end
        at, last_ms, i = at + count, tonumber(end_ms), i + 4
    end
    call('HSET', forwarded, source, text_of(at) .. ' ' .. text_of(last_ms))
    if seq > begin then
        call('HSET', counters, 'seq', text_of(seq), 'last', text_of(seq))
        call('HINCRBY', counters, 'log_bytes', text_of(added))
        wake('filter', source)
    end
    return { what, text_of(at), text_of(seq), refused, text_of(before_ms) }
end

function steps.forwarded(source, format)
    local at = split_pair(call('HGET', forwarded, source))
    return { text_of(at), text_of(counter('seq')), steps.open(format) }
end

-- Records behind one; in chunks, of which the first may begin before. Answers '1' if these
-- are all, then for each chunk its last number, its count and its bytes.
function steps.read(after, max_records, max_bytes)
    local answer = { '' }
    local from, records, size, count = text_of(tonumber(after) + 1) .. '-0', 0, 0, 1
    while records < tonumber(max_records) and size < tonumber(max_bytes) do
        local entries = call('XRANGE', log, from, '+', 'COUNT', count)
        for _, entry in ipairs(entries) do
            local last, fields = string.match(entry[1], '^%d+'), entry[2]
            if #answer == 1 then
                records = records - math.max(tonumber(after) - (tonumber(last) - tonumber(fields[2])), 0)
            end
            answer[#answer + 1] = last
            answer[#answer + 1] = fields[2]
            answer[#answer + 1] = fields[6]
            records, size, from = records + tonumber(fields[2]), size + #fields[6], '(' .. entry[1]
            if #answer >= 3000 then return answer end
        end
        if #entries < count then
            answer[1] = '1'
            break
        end
        -- As many as will fit if they go on being so large.
        local mean = math.max(size / ((#answer - 1) / 3), 1)
        count = math.max(math.min(64, 2 * count, math.floor((tonumber(max_bytes) - size) / mean)), 1)
    end
    return answer
end

function steps.range()
    return call('HMGET', counters, 'first', 'last', 'log_bytes')
end

function steps.trim_log(before_ms, room) return trim_log(tonumber(before_ms), tonumber(room)) end

-- ---- Notes and gaps of who watches ----

function steps.note(source, token, now_there, name, value)
    if not heard_until(source, tonumber(token), now_there) then call('HSET', notes, name, value) end
    return 'done'
end

function steps.get_note(name) return call('HGET', notes, name) end

-- A gap is kept as 'from until after watch<newline>reason'.
function steps.gap(source, token, now_there, id, from_ms, until_ms)
    local after, watch, reason = ARGV[8], ARGV[9], ARGV[10]
    local ended = heard_until(source, tonumber(token), now_there)
    local old = call('HGET', gaps, id)
    if ended then
        if tonumber(from_ms) >= ended then return 'done' end
        -- Nobody will close it any more, and from here on somebody else listened.
        if until_ms == '0' or tonumber(until_ms) > ended then until_ms = text_of(ended) end
    end
    if old then after = string.match(old, '^%S+ %S+ (%S+) ') end
    call('HSET', gaps, id, from_ms .. ' ' .. until_ms .. ' ' .. after .. ' ' .. watch .. '\n' .. reason)
    return 'done'
end

function steps.get_gaps() return call('HGETALL', gaps) end

-- Beyond so many the oldest closed ones go.
function steps.trim_gaps(kept)
    local over = call('HLEN', gaps) - tonumber(kept)
    if over <= 0 then return 0 end
    local ids = call('HKEYS', gaps)
    table.sort(ids, function(a, b) return tonumber(a) < tonumber(b) end)
    for i = 1, over do
        if string.match(call('HGET', gaps, ids[i]), '^%S+ 0 ') then break end
        call('HDEL', gaps, ids[i])
    end
    return 0
end

-- ---- Members, messages ----

local members, told = prefix .. 'members', prefix .. 'told'

local function tidy_members(now)
    local rows = call('HGETALL', members)
    local there = {}
    for i = 1, #rows, 2 do
        local put, until_, status = string.match(rows[i + 1], '^(%d+) (%d+) (.*)$')
        if tonumber(until_) <= now then
            call('HDEL', members, rows[i])
        else
            there[#there + 1] = rows[i]
            there[#there + 1] = text_of(math.max(now - tonumber(put), 0))
            there[#there + 1] = status
        end
    end
    return there
end

function steps.member(name, status, ttl)
    local now = server_ms()
    call('HSET', members, name, text_of(now) .. ' ' .. text_of(now + tonumber(ttl)) .. ' ' .. status)
    tidy_members(now)
    return 'done'
end

function steps.unmember(name) return call('HDEL', members, name) end

function steps.members() return tidy_members(server_ms()) end

function steps.tell(message, kept)
    call('XADD', told, 'MAXLEN', '~', kept, '*', 'm', message)
    return 'done'
end

local function last_id(key)
    local entry = call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    return entry and entry[1] or '0-0'
end

-- Where the streams that wake and tell end now; how far the server knows this process's commits;
-- and the log goes on behind what anybody has seen of it.
function steps.resume(client, seen)
    if counter('seq') < tonumber(seen) then call('HSET', counters, 'seq', seen) end
    local number = slot_read(client)
    return { last_id(prefix .. 'wake'), last_id(told), text_of(number or 0) }
end

return steps[ARGV[1]](unpack(ARGV, 2, math.min(#ARGV, 8)))

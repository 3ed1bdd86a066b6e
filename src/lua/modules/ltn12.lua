-- `ltn12`: sources return pieces of a text, sinks take them, filters change them, pumps move them.

local _, parts = ...
local base = parts.base
local error, select, type, unpack = base.error, base.select, base.type, base.unpack
local concat, sub = parts.libraries.table.concat, parts.libraries.string.sub

local filter, source, sink, pump = {}, {}, {}, {}
local ltn12 = { filter = filter, source = source, sink = sink, pump = pump, BLOCKSIZE = 2048, _VERSION = "LTN12 1.0.3" }

-- Makes a filter of a function that takes a state and a piece.
function filter.cycle(change, state, extra)
    return function(piece)
        local changed
        changed, state = change(state, piece, extra)
        return changed
    end
end

-- Chains filters. At the end each is called once with `nil`, and returns what it held back.
function filter.chain(...)
    local filters, count = { ... }, select("#", ...)
    return function(piece)
        if piece ~= nil then
            for at = 1, count do
                piece = filters[at](piece)
            end
            return piece
        end
        local rest
        for at = 1, count do
            local more = rest and rest ~= "" and filters[at](rest) or ""
            local held = filters[at](nil)
            while held and held ~= "" do
                more = more .. held
                held = filters[at](nil)
            end
            rest = more
        end
        return rest ~= "" and rest or nil
    end
end

function source.empty()
    return function()
        return nil
    end
end

function source.error(problem)
    return function()
        return nil, problem
    end
end

function source.string(text)
    if not text then
        return source.empty()
    end
    local at = 1
    return function()
        local piece = sub(text, at, at + ltn12.BLOCKSIZE - 1)
        at = at + ltn12.BLOCKSIZE
        return piece ~= "" and piece or nil
    end
end

function source.table(list)
    local at = 0
    return function()
        at = at + 1
        return list[at]
    end
end

function source.file(file, problem)
    if not file then
        return source.error(problem or "unable to open file")
    end
    return function()
        local piece = file:read(ltn12.BLOCKSIZE)
        if not piece then
            file:close()
        end
        return piece
    end
end

-- A source may return another source as its replacement, with its piece; this follows it.
function source.simplify(from)
    return function()
        local piece, other = from()
        if not piece then
            return nil, other
        end
        from = other or from
        return piece
    end
end

function source.rewind(from)
    local back = {}
    return function(piece)
        if piece then
            back[#back + 1] = piece
            return
        end
        local last = back[#back]
        if last then
            back[#back] = nil
            return last
        end
        return from()
    end
end

-- A source with filters.
function source.chain(from, first, ...)
    if select("#", ...) > 0 then
        return source.chain(source.chain(from, first), ...)
    end
    local is_ended
    return function()
        while not is_ended do
            local piece, problem = from()
            if problem then
                return nil, problem
            elseif piece == nil then
                is_ended = true
            end
            local changed = first(piece)
            if changed and changed ~= "" then
                return changed
            end
        end
        return nil
    end
end

-- Joins sources, one after the other.
function source.cat(...)
    local sources, at = { ... }, 1
    return function()
        while sources[at] do
            local piece, problem = sources[at]()
            if piece then
                return piece
            elseif problem then
                return nil, problem
            end
            at = at + 1
        end
    end
end

function sink.null()
    return function()
        return 1
    end
end

function sink.error(problem)
    return function()
        return nil, problem
    end
end

function sink.table(list)
    list = list or {}
    return function(piece)
        if piece then
            list[#list + 1] = piece
        end
        return 1
    end, list
end

function sink.file(file, problem)
    if not file then
        return sink.error(problem or "unable to open file")
    end
    return function(piece)
        if not piece then
            file:close()
            return 1
        end
        return file:write(piece)
    end
end

function sink.simplify(to)
    return function(piece, problem)
        local taken, other = to(piece, problem)
        if not taken then
            return nil, other
        end
        to = other or to
        return 1
    end
end

-- A sink with filters.
function sink.chain(first, ...)
    local stages = { first, ... }
    local to = stages[#stages]
    stages[#stages] = nil
    local change = filter.chain(unpack(stages))
    return function(piece, problem)
        local changed = change(piece)
        if changed and changed ~= "" then
            local taken, failed = to(changed, problem)
            if not taken then
                return nil, failed
            end
        end
        if not piece then
            return to(nil, problem)
        end
        return 1
    end
end

function pump.step(from, to)
    local piece, problem = from()
    local taken, failed = to(piece, problem)
    if piece and taken then
        return 1
    end
    return nil, problem or failed
end

function pump.all(from, to, step)
    if type(from) ~= "function" or type(to) ~= "function" then
        error("bad argument to 'pump' (source and sink expected)", 2)
    end
    step = type(step) == "function" and step or pump.step
    while true do
        local moved, problem = step(from, to)
        if not moved then
            if problem then
                return nil, problem
            end
            return 1
        end
    end
end

return ltn12

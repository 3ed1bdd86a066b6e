-- Prepares a Lua state that runs scripts one after the other, of which none sees what another left, or one script that lives.
--
-- Takes functions of the host, `true` for a sandbox, and `require.lua`. Returns functions for the host by name, the environment of our own functions,
-- and what `rule.lua` and `decision.lua` share.
-- Nothing here reads a global after the start, because scripts can change globals.

local native, sandboxed, require = ...

local assert, error, getfenv, load, next, pcall, rawget, rawset, select, setfenv, setmetatable, tonumber, tostring, type, xpcall =
    assert, error, getfenv, load, next, pcall, rawget, rawset, select, setfenv, setmetatable, tonumber, tostring, type, xpcall
local concat, insert, sort, format, sub = table.concat, table.insert, table.sort, string.format, string.sub
local create, resume, io = coroutine.create, coroutine.resume, io

local hidden = {}
-- The environment of the current call, and the one that it set instead, if any.
local running, current
-- `true` if the call changed something outside of its environment, moved a function to another one, or seeded `math.random`.
local has_changed, has_moved, has_seeded
local base, libraries = {}, { string = {}, table = {}, math = {}, coroutine = {}, os = {}, bit = {} }

for _, name in ipairs { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget", "rawset", "select", "setmetatable",
    "tonumber", "tostring", "type", "unpack", "_VERSION" } do
    base[name] = _G[name]
end
for _, name in ipairs { "string", "table", "math", "coroutine", "bit" } do
    for key, value in pairs(_G[name]) do
        libraries[name][key] = value
    end
end

-- A script cannot catch the error of an exhausted budget: no line of it runs any more.
local is_over = native.is_over

local function checked(...)
    if is_over() then
        error("stopped", 0)
    end
    return ...
end

function base.pcall(...)
    return checked(pcall(...))
end

function base.xpcall(body, handler, ...)
    local function handle(problem)
        if is_over() then
            return problem
        end
        return handler(problem)
    end
    return checked(xpcall(body, handle, ...))
end

-- Coroutines and comparisons use the C stack of the host, whatever the size of the Lua stack.
local MAX_DEPTH, TOO_DEEP = 100, "C stack overflow"
local depth = 0

local function left(...)
    depth = depth - 1
    return checked(...)
end

local function resume_counted(thread, ...)
    if type(thread) ~= "thread" then
        error("bad argument #1 to 'resume' (coroutine expected)", 2)
    elseif depth >= MAX_DEPTH then
        return false, TOO_DEEP
    end
    depth = depth + 1
    return left(resume(thread, ...))
end
libraries.coroutine.resume = resume_counted

local function propagated(succeeded, ...)
    if not succeeded then
        error((...), 0)
    end
    return ...
end

function libraries.coroutine.wrap(body)
    local thread = create(body)
    return function(...)
        return propagated(resume_counted(thread, ...))
    end
end

-- The host's own `tostring` as a metamethod would recurse without being counted.
function base.tostring(...)
    local written = tostring(...)
    return written
end

-- Functions that read a long text byte by byte are charged its length: they may run many times before the next check of the budget.
local LONG = 100000

local function count(made)
    if #made > LONG then
        native.work(#made)
    end
    return made
end

-- A metamethod may write a formatted value, and call `format` itself. Quoting a text costs `QUOTING` times its length.
local QUOTING = 16

function libraries.string.format(...)
    for at = 1, select("#", ...) do
        local value = select(at, ...)
        local kind = type(value)
        if kind == "string" and #value > LONG then
            native.work(#value * QUOTING)
        elseif kind == "table" then
            if depth >= MAX_DEPTH then
                error(TOO_DEEP, 2)
            end
            depth = depth + 1
            return propagated(left(pcall(format, ...)))
        end
    end
    return format(...)
end

-- The host moves each element between, even empty ones.
function libraries.table.insert(list, ...)
    local place = ...
    if select("#", ...) > 1 and type(place) == "number" and place < 1 then
        error("bad argument #2 to 'insert' (position out of bounds)", 2)
    end
    return insert(list, ...)
end

-- Joined numbers become texts first: each value counts as a step, which is `STEP` bytes of linear work.
local STEP, FEW = 64, 1000

function libraries.table.concat(list, separator, first, last)
    if type(list) == "table" then
        local values = (tonumber(last) or #list) - (tonumber(first) or 1)
        if values > FEW then
            native.work(values * STEP)
        end
    end
    local made = concat(list, separator, first, last)
    return count(made)
end

-- As in Lua 5.2 and later.
libraries.table.unpack = unpack

-- Sorting calls Lua for each comparison, so that its steps are counted, even with a function of the host as comparison.
local function is_less(one, other)
    return one < other
end

function libraries.table.sort(list, compare)
    if depth >= MAX_DEPTH then
        error(TOO_DEEP, 2)
    end
    local by = compare and function(one, other)
        return (compare(one, other))
    end
    depth = depth + 1
    propagated(left(pcall(sort, list, by or is_less)))
end

-- Here the level of a function's caller is one more than in the script.
local function deeper(target)
    if type(target) == "number" and target > 0 then
        return target + 1
    end
    return target
end

-- Functions of the host and of this file return the environment of the call; no script sees their own.
local globals = _G

function base.getfenv(target)
    if target == 0 then
        return current or running
    end
    local environment = getfenv(deeper(target or 1))
    if environment == hidden or environment == globals then
        return current or running
    end
    return environment
end

function base.setfenv(target, environment)
    if target == 0 then
        if type(environment) ~= "table" then
            error("bad argument #2 to 'setfenv' (table expected)", 2)
        end
        current, has_changed = environment, true
        return
    elseif getfenv(deeper(target)) == hidden then
        error("'setfenv' cannot change environment of given object", 2)
    end
    has_changed, has_moved = true, true
    local changed = setfenv(deeper(target), environment)
    return changed
end

local mode = sandboxed and "t" or nil

-- Parsing a chunk costs `READING` times its length, and cannot be stopped: this is the maximum length of a chunk that a script builds.
local MAX_CHUNK, READING = 1048576, 64

local function read(chunk, ...)
    if type(chunk) == "string" then
        native.work(#chunk * READING)
    end
    return load(chunk, ...)
end

local function read_short(chunk, ...)
    if type(chunk) == "string" and #chunk > MAX_CHUNK then
        return nil, format("chunk has more than %d bytes", MAX_CHUNK)
    end
    return read(chunk, ...)
end

function base.load(chunk, name, wanted, ...)
    if type(chunk) == "function" then
        local pieces = {}
        for piece in chunk do
            if piece == "" then
                break
            end
            pieces[#pieces + 1] = piece
        end
        chunk = concat(pieces)
    end
    if select("#", ...) > 0 then
        return read_short(chunk, name, mode or wanted, (...))
    end
    return read_short(chunk, name, mode or wanted, current or running)
end

function base.loadstring(chunk, name)
    return read_short(chunk, name, mode, current or running)
end

-- Garbage collection is automatic: a script that stopped it would stop it for later scripts.
function base.collectgarbage(option)
    if option == "count" then
        return native.memory() / 1024
    end
    return 0
end

function base.gcinfo()
    return native.memory() / 1024
end

-- The host's answer: a value, or a problem, which is an error of the script at the calling line.
local function value_or_error(value, problem)
    if problem then
        error(problem, 3)
    end
    return value
end

local LOG, PRINT_LEVEL = 1, 4

function base.print(...)
    local words = {}
    for at = 1, select("#", ...) do
        words[at] = tostring((select(at, ...)))
    end
    native.ask(LOG, PRINT_LEVEL, concat(words, "\t"))
end

-- The host matches patterns, and counts the steps.
local strings = libraries.string

local function text(value, place, name)
    if type(value) == "string" then
        return value
    elseif type(value) == "number" then
        return tostring(value)
    end
    error(format("bad argument #%d to '%s' (string expected, got %s)", place, name, value == nil and "no value" or type(value)), 3)
end

local function number(value, default, place, name)
    if value == nil then
        return default
    end
    return tonumber(value) or error(format("bad argument #%d to '%s' (number expected, got %s)", place, name, type(value)), 3)
end

for _, name in ipairs { "lower", "rep", "reverse", "upper" } do
    local plain = strings[name]
    strings[name] = function(subject, ...)
        local made = plain(text(subject, 1, name), ...)
        return count(made)
    end
end

function base.tonumber(value, radix)
    if type(value) == "string" and #value > LONG then
        native.work(#value)
    end
    return tonumber(value, radix)
end

local function answer(first, ...)
    if first == false then
        error((...), 2)
    end
    return first, ...
end

function strings.find(subject, pattern, init, plain)
    subject, pattern, init = text(subject, 1, "find"), text(pattern, 2, "find"), number(init, 1, 3, "find")
    return answer(native.find(subject, pattern, init, plain and true or false))
end

function strings.match(subject, pattern, init)
    subject, pattern, init = text(subject, 1, "match"), text(pattern, 2, "match"), number(init, 1, 3, "match")
    return answer(native.match(subject, pattern, init))
end

function strings.gmatch(subject, pattern)
    subject, pattern = text(subject, 1, "gmatch"), text(pattern, 2, "gmatch")
    local at = 1
    local function advance(start, stop, ...)
        if not start then
            return nil
        end
        at = stop < start and start + 1 or stop + 1
        return ...
    end
    return function()
        if at > #subject + 1 then
            return nil
        end
        return advance(answer(native.search(subject, pattern, at, false)))
    end
end
strings.gfind = strings.gmatch

-- Returns the replacement of a match of gsub. The first capture, or the whole match, is looked up.
local function replacement(by, kind, found, first, ...)
    local value
    if kind == "function" then
        value = by(first, ...)
    else
        value = by[first]
    end
    if not value then
        return found
    elseif type(value) == "string" or type(value) == "number" then
        return value
    end
    error(("invalid replacement value (a %s)"):format(type(value)), 3)
end

function strings.gsub(subject, pattern, by, max)
    subject, pattern, max = text(subject, 1, "gsub"), text(pattern, 2, "gsub"), number(max, #subject + 1, 4, "gsub")
    local kind = type(by)
    if kind == "string" or kind == "number" then
        return answer(native.gsub(subject, pattern, tostring(by), max))
    elseif kind ~= "function" and kind ~= "table" then
        error(("bad argument #3 to 'gsub' (string/function/table expected, got %s)"):format(by == nil and "no value" or kind), 2)
    end
    local anchored = sub(pattern, 1, 1) == "^"
    local pieces, count, at = {}, 0, 1
    local function replace(start, stop, ...)
        if not start then
            return false
        end
        count = count + 1
        pieces[#pieces + 1] = sub(subject, at, start - 1)
        pieces[#pieces + 1] = replacement(by, kind, sub(subject, start, stop), ...)
        if stop >= start then
            at = stop + 1
        else
            pieces[#pieces + 1] = sub(subject, start, start)
            at = start + 1
        end
        return not anchored
    end
    while count < max and at <= #subject + 1 and replace(answer(native.search(subject, pattern, at, true))) do end
    pieces[#pieces + 1] = sub(subject, at)
    return concat(pieces), count
end

-- Functions with effects outside of the script.
for _, name in ipairs { "clock", "difftime", "time" } do
    libraries.os[name] = os[name]
end

-- A long format is written piece by piece, so that it can be stopped.
local date, time, LONG_FORMAT = os.date, os.time, 1000

function libraries.os.date(layout, at)
    if type(layout) ~= "string" or #layout <= LONG_FORMAT then
        return date(layout, at)
    end
    local zone = sub(layout, 1, 1) == "!" and "!" or ""
    at = at or time()
    local written = strings.gsub(sub(layout, #zone + 1), "%%[EO]?.", function(piece)
        return date(zone .. piece, at)
    end)
    return written
end

-- Random numbers are unpredictable, and a seed lasts as long as the call.
local randomseed = math.randomseed
randomseed(native.seed())

function libraries.math.randomseed(...)
    has_changed, has_seeded = true, true
    randomseed(...)
end

function libraries.os.exit()
    error("os.exit ends nothing here: return from main instead", 2)
end
if sandboxed then
    strings.dump = nil
else
    for _, name in ipairs { "execute", "getenv", "remove", "rename", "tmpname" } do
        libraries.os[name] = os[name]
    end
    libraries.io = {}
    for key, value in pairs(io) do
        libraries.io[key] = value
    end
    -- Files of all calls share a metatable, which scripts cannot reach by any method.
    local of_files, methods = getmetatable(io.stdout), {}
    for key, value in pairs(of_files) do
        if type(key) == "string" and key:sub(1, 2) ~= "__" then
            methods[key] = value
        end
    end
    of_files.__metatable, of_files.__index = false, methods
    function base.loadfile(name, wanted)
        return read(assert(libraries.io.open(name, "rb")):read("*a"), "@" .. name, wanted, current or running)
    end
    function base.dofile(name)
        return assert(base.loadfile(name))()
    end
end

local add_require = require(native, hidden, sandboxed, {
    base = base,
    libraries = libraries,
    read = read,
    text = text,
    number = number,
    environment = function()
        return current or running
    end,
    move = function(target, environment)
        has_changed, has_moved = true, true
        setfenv(target + 1, environment)
    end,
})

-- The methods of strings are those of the call's own `string`, which it may change.
local string_metatable = getmetatable("")
string_metatable.__metatable, string_metatable.__index = false, strings

-- A library that a script uses and may change is copied into its environment; all others are reached through a metatable.
local function add_library(name, library)
    local own = {}
    for key, value in next, library do
        own[key] = value
    end
    rawset(running, name, own)
    if name == "string" then
        string_metatable.__index, has_changed = own, true
    elseif name == "io" then
        io.input(io.stdin)
        io.output(io.stdout)
    end
    return own
end

local function look(_, name)
    local library = libraries[name]
    if library then
        return add_library(name, library)
    elseif name == "require" or not sandboxed and (name == "package" or name == "module") then
        add_require(running)
        return rawget(running, name)
    end
end
setmetatable(base, { __index = look })

-- Makes an empty environment, with the globals of one kind of script.
local behind = { __index = base }
local function make_environment(add)
    local shown = setmetatable({}, behind)
    local environment = setmetatable({}, { __index = shown, __metatable = false })
    shown._G = environment
    return environment, add(shown)
end

-- Restores what a call changed outside of its environment.
local function forget()
    string_metatable.__index = strings
    if has_seeded then
        has_seeded = false
        randomseed(native.seed())
    end
    running, current, has_changed, has_moved, depth = nil, nil, false, false, 0
end

-- An environment with more entries is not reused.
local MAX_HELD = 100

local function empty(held)
    local count = 0
    for key in next, held do
        held[key], count = nil, count + 1
        if count > MAX_HELD then
            has_changed, has_moved = true, true
            break
        end
    end
end

-- Converts a returned value: to text, with the number if it is one; or `nil` and the name of its type.
local function written(value)
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" then
        return tostring(value), value
    end
    return nil, kind
end

-- Prepares a script: it runs the chunk in its own environment, then the function `name`. `add` adds the globals of its kind to the environment,
-- and returns those that scripts may change. Each line of `run` is part of the cost of a call.
local function prepare(chunk, name, add)
    local spare, own
    local function run(argument)
        local environment = spare
        if not environment then
            environment, own = make_environment(add)
            setfenv(chunk, environment)
        end
        spare = nil
        running = environment
        chunk()
        local main = environment[name]
        if not main then
            error(("it has no function `%s`"):format(name), 0)
        end
        local value = main(argument)
        -- An emptied environment serves the next call: nothing refers to it any more.
        environment[name] = nil
        for _ in next, environment do
            empty(environment)
            break
        end
        for _ in next, own do
            empty(own)
            break
        end
        if not has_moved then
            spare = environment
        end
        if has_changed then
            forget()
        end
        if value ~= nil then
            return written(value)
        end
    end
    return setfenv(run, hidden)
end

-- Makes the environment of a script that lives as long as the state, with globals and modules of the host. Returns the script, to be run once.
local function settle(chunk, globals, modules)
    local shown = setmetatable({}, behind)
    local environment = setmetatable({}, { __index = shown, __metatable = false })
    shown._G, running = environment, environment
    libraries.os.exit = nil
    for name, value in next, globals do
        shown[name] = value
    end
    function shown.require(name)
        local module = modules[name]
        if module == nil and type(name) == "string" then
            module = rawget(environment, name) or libraries[name] and add_library(name, libraries[name])
        end
        if module == nil then
            error(("module '%s' does not exist here"):format(tostring(name)), 2)
        elseif type(module) == "string" then
            error(module, 2)
        end
        return module
    end
    setfenv(shown.require, hidden)
    return setfenv(chunk, environment)
end

-- Calls a function of a script that lives. The last call may have been stopped anywhere.
local function enter(called, ...)
    depth = 0
    return called(...)
end

local function given(succeeded, ...)
    depth = depth - 1
    if not succeeded then
        error((...), 2)
    end
    return checked(...)
end

-- Makes a function of one of the host, which returns `true` and its results, or `false` and a problem. The host may call the script meanwhile, through a
-- metamethod or a function that it was given, and so again and again.
local function wrap(native_function)
    return setfenv(function(...)
        if depth >= MAX_DEPTH then
            error(TOO_DEEP, 2)
        end
        depth = depth + 1
        return given(native_function(...))
    end, hidden)
end

for _, group in ipairs { base, libraries.string, libraries.table, libraries.math, libraries.coroutine, libraries.os } do
    for _, value in pairs(group) do
        if type(value) == "function" then
            pcall(setfenv, value, hidden)
        end
    end
end
for _, value in ipairs { prepare, value_or_error, checked, left, resume_counted, propagated, deeper, is_less, count, read, read_short,
    text, number, answer, replacement, add_library, look, make_environment, forget, empty, written,
    settle, enter, given, wrap } do
    setfenv(value, hidden)
end
local shared = { prepare = prepare, forget = forget, settle = settle, enter = enter, wrap = wrap }
return shared, hidden, { value_or_error = value_or_error, text = text, number = number }

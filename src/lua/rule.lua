-- What scripts of rules see: `m`.

local native, hidden, shared = ...
local told, text = shared.told, shared.text
local concat, next, setmetatable, type = table.concat, next, setmetatable, type
local ask, native_getvar, native_setvar = native.ask, native.getvar, native.setvar

local LOG, GETVARS = 1, 2
local methods = {}

-- The names of transformations, in one text.
local function steps(transformations, name)
    if transformations == nil then
        return nil
    elseif type(transformations) == "table" then
        return concat(transformations, ",")
    end
    return text(transformations, 2, name)
end

function methods.log(level, message)
    ask(LOG, level, text(message, 2, "log"))
end

function methods.getvar(name, transformations)
    if type(name) == "string" and transformations == nil then
        return native_getvar(name)
    end
    return native_getvar(text(name, 1, "getvar"), steps(transformations, "getvar"))
end

function methods.getvars(name, transformations)
    local flat = told(ask(GETVARS, text(name, 1, "getvars"), steps(transformations, "getvars")))
    local list = {}
    for at = 1, #flat, 2 do
        list[#list + 1] = { name = flat[at], value = flat[at + 1] }
    end
    return list
end

function methods.setvar(name, value)
    if type(name) ~= "string" or type(value) ~= "string" then
        name, value = text(name, 1, "setvar"), text(value, 2, "setvar")
    end
    native_setvar(name, value)
end

-- Each call has its own `m`, which it may change.
local of_m = { __index = methods, __metatable = false }

local function add(environment, m)
    if not m or next(m) ~= nil then
        m = setmetatable({}, of_m)
    end
    environment.m = m
    return m
end

for _, value in next, methods do
    setfenv(value, hidden)
end
for _, value in ipairs { steps, add } do
    setfenv(value, hidden)
end
return add

-- The global of rule scripts: `m`.

local native, hidden, shared = ...
local value_or_error, text, number = shared.value_or_error, shared.text, shared.number
local concat, error, next, setmetatable, type = table.concat, error, next, setmetatable, type
local ask, native_getvar, native_setvar = native.ask, native.getvar, native.setvar
-- Names that the host knows by number: it remembers names that were used.
local variables, chains = native.variables, native.chains

local LOG, GETVAR, GETVARS, SETVAR = 1, 2, 3, 4
local methods = {}

-- Maximum length of a list of transformations, in bytes.
local LONGEST = 10000

-- The names of transformations, in one text.
local function steps(transformations, name)
    if transformations == nil then
        return nil
    end
    local list = type(transformations) == "table" and concat(transformations, ",") or text(transformations, 2, name)
    if #list > LONGEST then
        error(("bad argument #2 to '%s' (more than %d bytes of transformations)"):format(name, LONGEST), 3)
    end
    return list
end

function methods.log(level, message)
    ask(LOG, number(level == nil and {} or level, nil, 1, "log"), text(message, 2, "log"))
end

function methods.getvar(name, transformations)
    local variable = variables[name]
    if variable then
        if transformations == nil then
            return native_getvar(variable)
        end
        local chain = chains[transformations]
        if chain then
            return native_getvar(variable, chain)
        end
    end
    local value = ask(GETVAR, text(name, 1, "getvar"), steps(transformations, "getvar"))
    return value
end

function methods.getvars(name, transformations)
    local flat = value_or_error(ask(GETVARS, text(name, 1, "getvars"), steps(transformations, "getvars")))
    local list = {}
    for at = 1, #flat, 2 do
        list[#list + 1] = { name = flat[at], value = flat[at + 1] }
    end
    return list
end

function methods.setvar(name, value)
    if not native_setvar(variables[name], value) then
        ask(SETVAR, text(name, 1, "setvar"), text(value, 2, "setvar"))
    end
end

-- Each environment has its own `m`, which a call may change.
local of_m = { __index = methods, __metatable = false }

local function add(shown)
    shown.m = setmetatable({}, of_m)
    return shown.m
end

for _, value in next, methods do
    setfenv(value, hidden)
end
for _, value in ipairs { steps, add } do
    setfenv(value, hidden)
end
return add

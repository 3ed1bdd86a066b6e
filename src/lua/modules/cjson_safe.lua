-- `cjson.safe`: `cjson` that returns `nil` and a message instead of an error.

local native, parts = ...
local text = parts.text

local safe = { null = native.null, _NAME = "cjson.safe", _VERSION = "2.1.0" }

function safe.decode(json)
    local problem, value = native.decode(text(json, 1, "decode"))
    if problem then
        return nil, problem
    end
    return value
end

function safe.encode(value)
    local problem, json = native.encode(value)
    if problem then
        return nil, problem
    end
    return json
end

return safe

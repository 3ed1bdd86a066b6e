-- `cjson`, compatible with lua-cjson: JSON to values and back.

local native, parts = ...
local error, text = parts.base.error, parts.text

local cjson = { null = native.null, _NAME = "cjson", _VERSION = "2.1.0" }

function cjson.decode(json)
    local problem, value = native.decode(text(json, 1, "decode"))
    if problem then
        error(problem, 2)
    end
    return value
end

function cjson.encode(value)
    local problem, json = native.encode(value)
    if problem then
        error(problem, 2)
    end
    return json
end

function cjson.new()
    return { null = cjson.null, decode = cjson.decode, encode = cjson.encode, new = cjson.new, _NAME = cjson._NAME, _VERSION = cjson._VERSION }
end

return cjson

-- `socket.url`: the parts of a URL (RFC 3986), and texts in them.

local _, parts = ...
local base, strings = parts.base, parts.libraries.string
local byte, char, find, format, gsub, lower, match, sub =
    strings.byte, strings.char, strings.find, strings.format, strings.gsub, strings.lower, strings.match, strings.sub
local next, tonumber, type = base.next, base.tonumber, base.type

local url = { _VERSION = "URL 1.0.3" }

function url.escape(text)
    return (gsub(text, "[^A-Za-z0-9_]", function(one)
        return format("%%%02x", byte(one))
    end))
end

function url.unescape(text)
    return (gsub(text, "%%(%x%x)", function(digits)
        return char(tonumber(digits, 16))
    end))
end

-- Removes the match of a pattern from a text; returns the rest, and the capture.
local function take(text, pattern)
    local first, last, found = find(text, pattern)
    if not first then
        return text, nil
    end
    return sub(text, 1, first - 1) .. sub(text, last + 1), found
end

function url.parse(text, default)
    local parsed = {}
    for name, value in next, default or {} do
        parsed[name] = value
    end
    if not text or text == "" then
        return nil, "invalid url"
    end
    local rest, fragment, scheme, authority, query, params = text, nil, nil, nil, nil, nil
    rest, fragment = take(rest, "#(.*)$")
    rest, scheme = take(rest, "^([%w][%w%+%-%.]*):")
    rest, authority = take(rest, "^//([^/%?]*)")
    rest, query = take(rest, "%?(.*)$")
    rest, params = take(rest, "%;(.*)$")
    parsed.fragment = fragment or parsed.fragment
    parsed.scheme = scheme and lower(scheme) or parsed.scheme
    parsed.query = query or parsed.query
    parsed.params = params or parsed.params
    if rest ~= "" then
        parsed.path = rest
    end
    if not authority then
        return parsed
    end
    parsed.authority = authority
    local userinfo, port
    authority, userinfo = take(authority, "^([^@]*)@")
    authority, port = take(authority, ":([^:%]]*)$")
    parsed.port = port and port ~= "" and port or parsed.port
    if authority ~= "" then
        parsed.host = match(authority, "^%[(.+)%]$") or authority
    end
    if userinfo then
        parsed.userinfo = userinfo
        parsed.user, parsed.password = match(userinfo, "^([^:]*):?(.*)$")
    end
    return parsed
end

function url.build(parsed)
    local built = parsed.path or ""
    if parsed.params then
        built = built .. ";" .. parsed.params
    end
    if parsed.query then
        built = built .. "?" .. parsed.query
    end
    local authority = parsed.authority
    if parsed.host then
        authority = find(parsed.host, ":", 1, true) and "[" .. parsed.host .. "]" or parsed.host
        if parsed.port then
            authority = authority .. ":" .. parsed.port
        end
        local userinfo = parsed.userinfo
        if parsed.user then
            userinfo = parsed.password and parsed.user .. ":" .. parsed.password or parsed.user
        end
        if userinfo then
            authority = userinfo .. "@" .. authority
        end
    end
    if authority then
        built = "//" .. authority .. built
    end
    if parsed.scheme then
        built = parsed.scheme .. ":" .. built
    end
    if parsed.fragment then
        built = built .. "#" .. parsed.fragment
    end
    return built
end

-- Removes dot segments from a path (RFC 3986, 5.2.4).
local function straight(path)
    local kept = {}
    local is_folder = find(path, "/%.%.?$") or find(path, "/$")
    for step in strings.gmatch(path, "[^/]+") do
        if step == ".." then
            kept[#kept] = nil
        elseif step ~= "." then
            kept[#kept + 1] = step
        end
    end
    local joined = parts.libraries.table.concat(kept, "/")
    return (sub(path, 1, 1) == "/" and "/" or "") .. joined .. (is_folder and joined ~= "" and "/" or "")
end

-- Resolves a reference relative to a URL.
function url.absolute(from, reference)
    local known = type(from) == "table" and from or url.parse(from)
    local wanted = url.parse(reference)
    if not wanted then
        return url.build(known)
    elseif wanted.scheme then
        return reference
    end
    wanted.scheme = known.scheme
    if not wanted.authority then
        wanted.authority, wanted.userinfo, wanted.user, wanted.password, wanted.host, wanted.port =
            known.authority, known.userinfo, known.user, known.password, known.host, known.port
        if not wanted.path then
            wanted.path, wanted.params = known.path, wanted.params or known.params
            wanted.query = wanted.query or known.query
        elseif sub(wanted.path, 1, 1) ~= "/" then
            wanted.path = straight((match(known.path or "", "^(.*/)") or "/") .. wanted.path)
        end
    end
    return url.build(wanted)
end

return url

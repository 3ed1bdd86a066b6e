-- `socket.http`: HTTP/1.1 requests (RFC 9112), one for each connection. The time limits are those of the connection and of the call.

local _, parts, require = ...
local socket, ltn12, url = require("socket"), require("ltn12"), require("socket.url")
local base, strings = parts.base, parts.libraries.string
local error, next, pcall, tonumber, tostring, type, concat =
    base.error, base.next, base.pcall, base.tonumber, base.tostring, base.type, parts.libraries.table.concat
local find, format, gsub, lower, match, sub = strings.find, strings.format, strings.gsub, strings.lower, strings.match, strings.sub

local http = { TIMEOUT = 60, PORT = 80, USERAGENT = socket._VERSION, _VERSION = socket._VERSION }

-- Maximum number of lines of a head, maximum length of a line in bytes, and maximum number of redirects.
local MAX_LINES, MAX_LINE, MAX_REDIRECTS = 200, 16384, 5

-- A failure ends the request, but not the script.
local failure = {}

local function try(value, ...)
    if not value then
        local problem = ...
        error({ [failure] = problem or "closed" }, 0)
    end
    return value, ...
end

-- A name or value with a line end would begin another line.
local function in_one_line(text)
    text = tostring(text)
    if find(text, "[\r\n%z]") then
        error("a header holds the end of a line", 0)
    end
    return text
end

local function request_head(request, parsed, method)
    local path = request.uri or (parsed.path or "/") .. (parsed.params and ";" .. parsed.params or "")
        .. (parsed.query and not request.uri and "?" .. parsed.query or "")
    local host = find(parsed.host, ":", 1, true) and "[" .. parsed.host .. "]" or parsed.host
    local port = tonumber(parsed.port)
    local headers = {
        ["user-agent"] = http.USERAGENT,
        host = port and port ~= http.PORT and host .. ":" .. port or host,
        connection = "close, TE",
        te = "trailers",
    }
    for name, value in next, request.headers or {} do
        headers[lower(name)] = value
    end
    if request.source and not headers["content-length"] then
        headers["transfer-encoding"] = "chunked"
    end
    local lines = { format("%s %s HTTP/1.1", in_one_line(method), gsub(in_one_line(path), " ", "%%20")) }
    for name, value in next, headers do
        lines[#lines + 1] = in_one_line(name) .. ": " .. in_one_line(value)
    end
    return concat(lines, "\r\n") .. "\r\n\r\n", headers
end

local function line_of(connection)
    local line = try(connection:receive("*l"))
    if #line > MAX_LINE then
        error({ [failure] = "a line of the head is too long" }, 0)
    end
    return line
end

-- Fields by their names in lower case; repeated ones are joined.
local function fields_of(connection)
    local headers, last = {}, nil
    for _ = 1, MAX_LINES do
        local line = line_of(connection)
        if line == "" then
            return headers
        end
        local name, value = match(line, "^([^:%s]+):%s*(.-)%s*$")
        local folded = match(line, "^%s+(.-)%s*$")
        if name then
            last = lower(name)
            headers[last] = headers[last] and headers[last] .. ", " .. value or value
        elseif folded and last then
            headers[last] = headers[last] .. " " .. folded
        else
            error({ [failure] = "malformed response headers" }, 0)
        end
    end
    error({ [failure] = "too many response headers" }, 0)
end

local function chunks_of(connection)
    return function()
        local size = tonumber((match(line_of(connection), "^%s*(%x+)")), 16)
        if not size then
            return nil, "invalid chunk size"
        elseif size == 0 then
            fields_of(connection)
            return nil
        end
        local piece = try(connection:receive(size))
        line_of(connection)
        return piece
    end
end

local function send_body(connection, request, headers)
    local to = function(piece)
        return piece == nil and 1 or connection:send(piece)
    end
    if headers["transfer-encoding"] == "chunked" then
        to = function(piece)
            if piece == "" then
                return 1
            end
            return connection:send(piece and format("%x\r\n", #piece) .. piece .. "\r\n" or "0\r\n\r\n")
        end
    end
    try(ltn12.pump.all(request.source, to, request.step or ltn12.pump.step))
end

local function has_body(method, code)
    return method ~= "HEAD" and code ~= 204 and code ~= 304 and code >= 200
end

local function receive_body(connection, headers, request)
    local length = tonumber(headers["content-length"])
    local from
    if headers["transfer-encoding"] and lower(headers["transfer-encoding"]) ~= "identity" then
        from = chunks_of(connection)
    elseif length then
        from = socket.source("by-length", connection, length)
    else
        from = socket.source("until-closed", connection)
    end
    try(ltn12.pump.all(from, request.sink or ltn12.sink.null(), request.step or ltn12.pump.step))
end

local function exchange(connection, request, parsed, method)
    connection:settimeout(http.TIMEOUT)
    try(connection:connect(parsed.host, tonumber(parsed.port) or http.PORT))
    local head, sent = request_head(request, parsed, method)
    try(connection:send(head))
    if request.source then
        send_body(connection, request, sent)
    end
    local status, code, headers
    repeat
        status = line_of(connection)
        code = tonumber((match(status, "^HTTP/%d*%.%d* (%d%d%d)")))
        if not code then
            error({ [failure] = "closed" }, 0)
        end
        headers = fields_of(connection)
    until code < 100 or code >= 200
    return code, headers, status
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local function is_redirect(request, code, headers, method)
    return REDIRECTS[code] and headers.location and request.redirect ~= false and (method == "GET" or method == "HEAD")
end

local function perform(request, redirects)
    local default = { scheme = "http", path = "/" }
    local parsed = url.parse(request.url, default) or default
    parsed.host, parsed.port = request.host or parsed.host, request.port or parsed.port
    if parsed.scheme ~= "http" then
        error({ [failure] = format("unsupported scheme '%s'", tostring(parsed.scheme)) }, 0)
    elseif not parsed.host or parsed.host == "" then
        error({ [failure] = "invalid host ''" }, 0)
    end
    local method = request.method or "GET"
    local connection = try((request.create or socket.tcp)())
    local done, code, headers, status = pcall(exchange, connection, request, parsed, method)
    local again = done and is_redirect(request, code, headers, method)
    if done and not again and has_body(method, code) then
        local received, problem = pcall(receive_body, connection, headers, request)
        done, code = received, received and code or problem
    end
    connection:close()
    if not done then
        error(code, 0)
    elseif again then
        if redirects >= MAX_REDIRECTS then
            error({ [failure] = "too many redirects" }, 0)
        end
        local next_request = {}
        for name, value in next, request do
            next_request[name] = value
        end
        next_request.url, next_request.uri, next_request.host, next_request.port = url.absolute(request.url, headers.location), nil, nil, nil
        return perform(next_request, redirects + 1)
    end
    return 1, code, headers, status
end

local function protected(succeeded, first, ...)
    if succeeded then
        return first, ...
    elseif type(first) == "table" and first[failure] then
        return nil, first[failure]
    end
    error(first, 0)
end

-- With a text: returns body, code, headers and status. With a table: returns 1, code, headers and status; the body goes to its `sink`.
-- On failure: returns `nil` and a message.
function http.request(what, body)
    if type(what) == "table" then
        return protected(pcall(perform, what, 0))
    end
    local pieces = {}
    local request = { url = what, sink = ltn12.sink.table(pieces), method = body and "POST" or "GET" }
    if body then
        request.source = ltn12.source.string(body)
        request.headers = { ["content-length"] = #body, ["content-type"] = "application/x-www-form-urlencoded" }
    end
    local done, code, headers, status = protected(pcall(perform, request, 0))
    if not done then
        return nil, code
    end
    return concat(pieces), code, headers, status
end

return http

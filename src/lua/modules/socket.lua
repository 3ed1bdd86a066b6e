-- `socket`, compatible with LuaSocket, for clients: `tcp`, `udp`, names, time. Nothing here listens.

local native, parts = ...
local base, text, number = parts.base, parts.text, parts.number
local error, pcall, select, setmetatable, tonumber, type = base.error, base.pcall, base.select, base.setmetatable, base.tonumber, base.type
local strings = parts.libraries.string
local find, format, gsub, sub = strings.find, strings.format, strings.gsub, strings.sub

local socket = { _VERSION = "LuaSocket 3.1.0", BLOCKSIZE = 2048 }
local dns = {}
socket.dns = dns

-- Names and addresses.

local function is_address(name)
    return find(name, ":", 1, true) or find(name, "^%d+%.%d+%.%d+%.%d+$")
end

local function family(address)
    return find(address, ":", 1, true) and "inet6" or "inet"
end

local function addresses(name)
    if is_address(name) then
        return { name }
    end
    local list, problem = native.addresses(name)
    if list and #list == 0 then
        return nil, "host or service not provided, or not known"
    end
    return list, problem
end

function dns.getaddrinfo(name)
    local list, problem = addresses(text(name, 1, "getaddrinfo"))
    if not list then
        return nil, problem
    end
    local found = {}
    for at = 1, #list do
        found[at] = { family = family(list[at]), addr = list[at] }
    end
    return found
end

-- An address without a name is its own name.
function dns.getnameinfo(address)
    address = text(address, 1, "getnameinfo")
    local list, problem = native.names(address)
    if not list then
        return nil, problem
    elseif #list == 0 then
        list = { address }
    end
    return list
end

function dns.toip(name)
    name = text(name, 1, "toip")
    local list, problem = addresses(name)
    if not list then
        return nil, problem
    end
    local first
    for at = 1, #list do
        if family(list[at]) == "inet" then
            first = first or list[at]
        end
    end
    if not first then
        return nil, "host not found"
    end
    return first, { name = name, alias = {}, ip = list }
end

function dns.tohostname(address)
    local list, problem = native.names(text(address, 1, "tohostname"))
    if not list or #list == 0 then
        return nil, problem or "host not found"
    end
    return list[1], { name = list[1], alias = {}, ip = { address } }
end

function dns.gethostname()
    return native.host_name()
end

-- Common part of all sockets: `handle` after connecting, and time limits in seconds, negative for none.

local common = {}

function common:settimeout(value, mode)
    local limit = number(value, -1, 2, "settimeout")
    if mode == "t" or mode == "r" then
        self.total = limit
    else
        self.each = limit
    end
    return 1
end

function common:gettimeout()
    return self.each, self.total
end

function common:close()
    if self.handle then
        native.close(self.handle)
    end
    self.handle, self.is_closed = nil, true
    return 1
end

local function ends(self, ask)
    if not self.handle then
        return nil, "closed"
    end
    local address, port = ask(self.handle)
    if not address then
        return nil, "not connected"
    end
    return address, port, family(address)
end

function common:getpeername()
    return ends(self, native.peer)
end

function common:getsockname()
    return ends(self, native.here)
end

-- Options without a visible effect are accepted.
function common:setoption(option, value)
    if option == "tcp-nodelay" and self.handle then
        native.set_nodelay(self.handle, value and true or false)
    end
    return 1
end

function common:getfd()
    return -1
end

function common:dirty()
    return false
end

-- Connections.

local stream = setmetatable({}, { __index = common })

local function connected(self, handle, problem)
    if not handle then
        return nil, problem
    end
    self.handle, self.sent, self.received, self.began = handle, 0, 0, native.now()
    return 1
end

function stream:connect(host, port)
    if self.handle then
        return nil, "already connected"
    end
    if self.is_unix then
        return connected(self, native.connect_unix(text(host, 2, "connect"), self.each, self.total))
    end
    host, port = text(host, 2, "connect"), number(port, nil, 3, "connect")
    if not port or port < 0 or port > 65535 then
        error("bad argument #3 to 'connect' (port expected)", 2)
    end
    local list, problem = addresses(host)
    for at = 1, list and #list or 0 do
        local handle
        handle, problem = native.connect(list[at], port, self.each, self.total)
        if handle then
            return connected(self, handle)
        end
    end
    return nil, problem
end

function stream:send(data, first, last)
    data = text(data, 2, "send")
    if not self.handle then
        return nil, "closed", 0
    end
    first, last = number(first, 1, 3, "send"), number(last, -1, 4, "send")
    if first < 0 then
        first = #data + first + 1
    end
    first = first < 1 and 1 or first
    local sent, problem = native.send(self.handle, sub(data, first, last), self.each, self.total)
    self.sent = self.sent + sent
    if problem then
        return nil, problem, first + sent - 1
    end
    return first + sent - 1
end

-- `*l` for a line, `*a` for everything, or a number of bytes, including those of `prefix`.
function stream:receive(pattern, prefix)
    prefix = prefix and text(prefix, 3, "receive") or ""
    if not self.handle then
        return nil, "closed", prefix
    end
    local wanted = -1
    local bytes = tonumber(pattern)
    if bytes then
        wanted = bytes - #prefix
        if wanted <= 0 then
            return prefix
        end
    elseif pattern ~= nil then
        local kind = sub(gsub(text(pattern, 2, "receive"), "^%*", ""), 1, 1)
        if kind == "a" then
            wanted = nil
        elseif kind ~= "l" then
            error("bad argument #2 to 'receive' (invalid receive pattern)", 2)
        end
    end
    local data, problem, partial = native.receive(self.handle, wanted, self.each, self.total)
    self.received = self.received + #(data or partial)
    if data then
        return prefix .. data
    end
    return nil, problem, prefix .. partial
end

function stream:shutdown(how)
    if not self.handle then
        return nil, "closed"
    end
    local done = native.shut(self.handle, how ~= "send", how ~= "receive")
    if not done then
        return nil, "not connected"
    end
    return 1
end

function stream:getstats()
    return self.received or 0, self.sent or 0, self.began and native.now() - self.began or 0
end

function stream:setstats()
    return 1
end

-- Datagrams.

local datagrams = setmetatable({}, { __index = common })

local function open_datagrams(self, address)
    if not self.handle and not self.is_closed then
        local problem
        self.handle, problem = native.datagrams(family(address) == "inet6")
        return self.handle, problem
    end
    return self.handle, "closed"
end

function datagrams:setpeername(host, port)
    local list, problem = addresses(text(host, 2, "setpeername"))
    if not list then
        return nil, problem
    end
    local handle
    handle, problem = open_datagrams(self, list[1])
    if not handle then
        return nil, problem
    end
    problem = native.set_peer(handle, list[1], number(port, nil, 3, "setpeername"))
    if problem then
        return nil, problem
    end
    return 1
end

function datagrams:send(data)
    if not self.handle then
        return nil, "closed"
    end
    local sent, problem = native.send_datagram(self.handle, text(data, 2, "send"), nil, 0)
    return sent, problem
end

function datagrams:sendto(data, address, port)
    local handle, problem = open_datagrams(self, text(address, 3, "sendto"))
    if not handle then
        return nil, problem
    end
    local sent
    sent, problem = native.send_datagram(handle, text(data, 2, "sendto"), address, number(port, nil, 4, "sendto"))
    return sent, problem
end

function datagrams:receivefrom(size)
    if not self.handle then
        return nil, "closed"
    end
    local data, problem, address, port = native.receive_datagram(self.handle, self.each, self.total)
    if not data then
        return nil, problem
    end
    return sub(data, 1, number(size, #data, 2, "receivefrom")), address, port
end

function datagrams:receive(size)
    local data, problem = datagrams.receivefrom(self, size)
    if not data then
        return nil, problem
    end
    return data
end

-- Making sockets.

local function kind_of(name, methods)
    return {
        __index = methods,
        __tostring = function(self)
            return format("%s{%s}", name, self.handle and "client" or "master")
        end,
        __metatable = false,
    }
end

local of_tcp, of_unix, of_udp = kind_of("tcp", stream), kind_of("unix", stream), kind_of("udp", datagrams)

function socket.tcp()
    return setmetatable({ each = -1, total = -1 }, of_tcp)
end
socket.tcp4, socket.tcp6 = socket.tcp, socket.tcp

function socket.udp()
    return setmetatable({ each = -1, total = -1 }, of_udp)
end
socket.udp4, socket.udp6 = socket.udp, socket.udp

function socket.connect(host, port)
    local made = socket.tcp()
    local done, problem = made:connect(host, port)
    if not done then
        return nil, problem
    end
    return made
end
socket.connect4, socket.connect6 = socket.connect, socket.connect

local function unix()
    return setmetatable({ each = -1, total = -1, is_unix = true }, of_unix)
end
socket._unix = setmetatable({ stream = unix, tcp = unix }, { __call = unix })

-- Time.

socket.gettime = native.now

function socket.sleep(seconds)
    native.sleep(number(seconds, 0, 1, "sleep"))
end

-- Errors that carry return values, for chains of calls.

local thrown = {}

local function caught(succeeded, ...)
    if succeeded then
        return ...
    end
    local problem = ...
    if type(problem) == "table" and problem[thrown] then
        return nil, problem[thrown]
    end
    error(problem, 0)
end

function socket.protect(body)
    return function(...)
        return caught(pcall(body, ...))
    end
end

function socket.newtry(finish)
    return function(...)
        local first, problem = ...
        if not first then
            if finish then
                pcall(finish)
            end
            error({ [thrown] = problem }, 0)
        end
        return ...
    end
end
socket.try = socket.newtry()

function socket.skip(count, ...)
    return select(count + 1, ...)
end

function socket.choose(list)
    return function(name, first, second)
        if type(name) ~= "string" then
            name, first, second = "default", name, first
        end
        local make = list[name or "nil"]
        if not make then
            error(format("unknown key (%s)", name), 3)
        end
        return make(first, second)
    end
end

-- Sources and sinks of `ltn12` on a connection.

local sources, sinks = {}, {}
socket.sourcet, socket.sinkt = sources, sinks

sources["until-closed"] = function(connection)
    local is_done
    return function()
        if is_done then
            return nil
        end
        local data, problem, partial = connection:receive(socket.BLOCKSIZE)
        if data then
            return data
        elseif problem == "closed" then
            is_done = true
            connection:close()
            return partial ~= "" and partial or nil
        end
        return nil, problem
    end
end
sources.default = sources["until-closed"]

sources["by-length"] = function(connection, length)
    return function()
        if length <= 0 then
            return nil
        end
        local data, problem = connection:receive(length < socket.BLOCKSIZE and length or socket.BLOCKSIZE)
        if not data then
            return nil, problem
        end
        length = length - #data
        return data
    end
end

sinks["keep-open"] = function(connection)
    return function(data)
        if data then
            return connection:send(data)
        end
        return 1
    end
end
sinks.default = sinks["keep-open"]

sinks["close-when-done"] = function(connection)
    return function(data)
        if data then
            return connection:send(data)
        end
        connection:close()
        return 1
    end
end

socket.source, socket.sink = socket.choose(sources), socket.choose(sinks)

return socket

-- The globals of decision scripts: `request`, and functions on addresses.

local native, hidden, shared = ...
local value_or_error, text, number = shared.value_or_error, shared.text, shared.number
local native_ask = native.ask
local lower, next, pairs, rawequal, rawset, setmetatable, type = string.lower, next, pairs, rawequal, rawset, setmetatable, type

local LOG, FIELD, HEADERS = 1, 10, 11
local IS_LISTED, BAN, UNBAN, IS_RATE_LIMITED, IS_VERIFIED_CRAWLER = 12, 13, 14, 15, 16
local BLACKLIST, WHITELIST = 0, 1

local functions = {}

local function ask(...)
    return value_or_error(native_ask(...))
end

function functions.log(message)
    ask(LOG, 1, text(message, 1, "log"))
end

function functions.is_ip_blacklisted(ip, site)
    local found = ask(IS_LISTED, text(ip, 1, "is_ip_blacklisted"), number(site, nil, 2, "is_ip_blacklisted"), BLACKLIST)
    return found
end

function functions.is_ip_whitelisted(ip, site)
    local found = ask(IS_LISTED, text(ip, 1, "is_ip_whitelisted"), number(site, nil, 2, "is_ip_whitelisted"), WHITELIST)
    return found
end

function functions.ban_ip(ip, site, minutes)
    ask(BAN, text(ip, 1, "ban_ip"), number(site, nil, 2, "ban_ip"), number(minutes, nil, 3, "ban_ip"))
end

function functions.unban_ip(ip, site)
    local was_banned = ask(UNBAN, text(ip, 1, "unban_ip"), number(site, nil, 2, "unban_ip"))
    return was_banned
end

function functions.is_rate_limited(ip, site)
    local limited = ask(IS_RATE_LIMITED, text(ip, 1, "is_rate_limited"), number(site, nil, 2, "is_rate_limited"))
    return limited
end

-- `exempts`: parts of user agents, one text or a list.
function functions.is_verified_crawler(ip, user_agent, exempts, minutes)
    if exempts == nil then
        exempts = {}
    elseif type(exempts) ~= "table" then
        exempts = { text(exempts, 3, "is_verified_crawler") }
    end
    local agent = text(user_agent == nil and "" or user_agent, 2, "is_verified_crawler")
    minutes = number(minutes, 0, 4, "is_verified_crawler")
    local verdict = ask(IS_VERIFIED_CRAWLER, text(ip, 1, "is_verified_crawler"), agent, exempts, minutes)
    return verdict
end

-- Headers, with the client's spelling of names; look-ups ignore case.
local function headers()
    local flat = ask(HEADERS)
    local list, by_name = {}, {}
    for at = 1, #flat, 2 do
        list[flat[at]] = flat[at + 1]
        by_name[lower(flat[at])] = flat[at + 1]
    end
    return setmetatable(list, {
        __index = function(_, name)
            return type(name) == "string" and by_name[lower(name)] or nil
        end,
    })
end

local of_request = {}
function of_request.__index(request, field)
    if type(field) ~= "string" then
        return nil
    end
    local value
    if field == "headers" then
        value = headers()
    else
        value = ask(FIELD, field)
    end
    rawset(request, field, value)
    return value
end
of_request.__metatable = false

local MEMBERS = { "method", "uri", "headers", "body", "body_is_cut", "client_ip", "peer_ip", "timestamp", "site_id" }
-- The request of the current call.
local current

-- Members are read from the host on access; iteration reads all of them.
function functions.pairs(list)
    if rawequal(list, current) then
        for at = 1, #MEMBERS do
            local _ = list[MEMBERS[at]]
        end
    end
    return pairs(list)
end

local function add(shown)
    for name, value in next, functions do
        shown[name] = value
    end
    current = setmetatable({}, of_request)
    shown.request = current
    return current
end

for _, value in next, functions do
    setfenv(value, hidden)
end
for _, value in ipairs { headers, of_request.__index, ask, add } do
    setfenv(value, hidden)
end
return add

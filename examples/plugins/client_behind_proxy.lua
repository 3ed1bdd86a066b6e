-- Tells which client an attack came from, if a proxy is in front of the server: the first address of X-Forwarded-For in the raw head of the request.
-- A client can write this header itself. If the rules name the proxy with SecTrustedSource, every plugin gets the client as `ip`, and bans hold.

local skynet = require "skynet"

-- Adapt: the header of the proxy, in lower case.
local HEADER = "x-forwarded-for"

local match = { host = ".*", urlpath = ".*", target = skynet.MATCH_TARGET_DETECT }

-- Returns the first address in the value of a header; names may be in any case.
local function first_address(head, header)
    for name, value in head:gmatch("([%w%-]+):[ \t]*([^\r\n]*)") do
        if name:lower() == header then
            return value:match("%d+%.%d+%.%d+%.%d+") or value:match("%x*:%x*:[%x:]*")
        end
    end
end

skynet.register(skynet.TYPE_PROCESS, match, function(ip)
    local attack = skynet.get_detailed_info()
    local client = first_address(attack.req_header_raw, HEADER)
    if client then
        skynet.log("client", client .. " attacked " .. attack.host .. " through " .. ip .. ", rule " .. attack.rule_id)
    end
end)

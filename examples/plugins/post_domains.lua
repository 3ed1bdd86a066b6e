-- Tells another server which domains are visited, each of them once: a POST with JSON. SecScriptConnect must name the server if its port is
-- neither 80 nor 443, and also its address, such as 10.1.2.3:8443, if that is not public.

local skynet = require "skynet"

-- Adapt: where to, and how many domains at most. Clients choose what they send as Host, so that there must be an end.
local URL, MAX = "https://inventory.example/domains", 1000

-- Hosts are letters, digits, dots, and few others; one with anything else is not worth telling.
local match = { host = "[a-z0-9._-]{1,200}", urlpath = ".*", target = skynet.MATCH_TARGET_ACCESS }

skynet.register(skynet.TYPE_PROCESS, match, function(_, host)
    if skynet.db_get(skynet.DB_LOCAL, host) or skynet.db_size(skynet.DB_LOCAL) >= MAX then
        return
    end
    -- Waits up to five seconds; other plugins and all requests go on meanwhile.
    local answer, problem = skynet.http_post(URL, { ["Content-Type"] = "application/json" }, '{"domain": "' .. host .. '"}')
    if answer and answer.status_code < 300 then
        skynet.db_set(skynet.DB_LOCAL, host, os.time())
    else
        skynet.log("inventory", host .. " was not reported: " .. (problem or "status " .. answer.status_code))
    end
end)

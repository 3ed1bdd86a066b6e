-- Bans addresses that ask for the login page again and again. A ticker looks at the most frequent requests, so that no request waits or is looked at.

local skynet = require "skynet"

-- Adapt: the path of the login, more than this many requests within five seconds, and the seconds of the ban.
local LOGIN, REQUESTS, BAN = "/login", 20, 15 * 60

-- The list covers five seconds, so that none are left out if it is read as often.
skynet.register(skynet.TYPE_TICKER, 5, function()
    for _, top in ipairs(skynet.top_n(skynet.TOP_IP_HOST_URLPATH, 1000, skynet.TOP_DURATION_5S)) do
        if top.count <= REQUESTS then
            break -- the most frequent come first
        end
        if top.urlpath == LOGIN then
            local problem = skynet.action_ban({ ip = top.ip, host = top.host }, BAN)
            skynet.log("password guessing", top.ip .. " tried " .. top.host .. " " .. top.count .. " times" .. (problem and ": " .. problem or ""))
        end
    end
end)

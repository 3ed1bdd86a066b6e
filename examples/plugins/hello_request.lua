-- Writes a line for each request. Try it first, to see that requests reach the script host.

local skynet = require "skynet"

-- Adapt: the hosts and paths of interest, as patterns of the whole text.
local match = {
    host = ".*",
    urlpath = ".*",
    type = skynet.MATCH_TYPE_ALL, -- each request; without it, one a second for each host and path
}

skynet.register(skynet.TYPE_PROCESS, match, function(ip, host, urlpath)
    skynet.log("hello", ip .. " asked " .. host .. " for " .. urlpath)
end)

-- Reports once a day how often each domain was visited, as count_domains.lua counts it. The store keeps the time of the last report, so that a restart of
-- the script host neither loses nor repeats one.

local skynet = require "skynet"

-- Adapt: the seconds between two reports.
local EVERY = 24 * 60 * 60

skynet.register(skynet.TYPE_TICKER, EVERY, function()
    for place = 1, tonumber(skynet.db_get(skynet.DB_GLOBAL, "domains") or 0) do
        local host = skynet.db_get(skynet.DB_GLOBAL, "domain " .. place)
        local visits = host and tonumber(skynet.db_get(skynet.DB_GLOBAL, "visits " .. host) or 0) or 0
        if visits > 0 then
            -- Not set to 0, so that visits of this moment are not lost.
            skynet.db_sub(skynet.DB_GLOBAL, "visits " .. host, visits)
            skynet.log("visits", host .. " " .. visits)
        end
    end
end)

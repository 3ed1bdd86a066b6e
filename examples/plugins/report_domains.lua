-- Reports once a day how often each domain was visited, as count_domains.lua counts it. Ticks begin anew with the script host; so the ticker looks
-- each minute if the day is another one, and the last day is in the database.

local skynet = require "skynet"

-- Adapt: what is reported once; "%Y-%m-%d" is a day, "%Y-%m-%d %H" an hour. And the seconds between two looks.
local PERIOD, EVERY = "%Y-%m-%d", 60

skynet.register(skynet.TYPE_TICKER, EVERY, function()
    local now = os.date(PERIOD)
    local before = skynet.db_get(skynet.DB_LOCAL, "period")
    if before == now then
        return
    end
    skynet.db_set(skynet.DB_LOCAL, "period", now)
    if not before then
        return
    end
    for place = 1, tonumber(skynet.db_get(skynet.DB_GLOBAL, "domains") or 0) do
        local host = skynet.db_get(skynet.DB_GLOBAL, "domain " .. place)
        local visits = host and tonumber(skynet.db_get(skynet.DB_GLOBAL, "visits " .. host) or 0) or 0
        if visits > 0 then
            -- Not set to 0, so that visits of this moment are not lost.
            skynet.db_sub(skynet.DB_GLOBAL, "visits " .. host, visits)
            skynet.log("visits", before .. ": " .. host .. " " .. visits)
        end
    end
end)

-- Counts the visits of each domain, for report_domains.lua: the two share the global database, and each has its own state.

local skynet = require "skynet"

-- Adapt: the domains that count, and how many there may be. Clients choose what they send as Host, so that there must be an end.
local DOMAINS, MAX = ".+", 1000

local numbered = {} -- domains that have a number, so that the database is not asked again
local count = 0

-- Gives a domain a number, under which the report finds its name. The database adds at once: of several hosts one gets 1.
local function number(host)
    if not numbered[host] and count < MAX then
        numbered[host], count = true, count + 1
        if skynet.db_add(skynet.DB_GLOBAL, "domain known " .. host, 1) == 1 then
            local place = skynet.db_add(skynet.DB_GLOBAL, "domains", 1)
            skynet.db_set(skynet.DB_GLOBAL, "domain " .. place, host)
        end
    end
    return numbered[host]
end

local match = { host = DOMAINS, urlpath = ".*", type = skynet.MATCH_TYPE_ALL, target = skynet.MATCH_TARGET_ACCESS }

skynet.register(skynet.TYPE_PROCESS, match, function(_, host)
    if #host <= 200 and number(host) then
        skynet.db_add(skynet.DB_GLOBAL, "visits " .. host, 1)
    end
end)

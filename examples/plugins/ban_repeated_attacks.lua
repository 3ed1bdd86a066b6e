-- Bans an address after some attacks of high risk within a time. The times of its attacks are in the database, so that they outlive a restart of
-- the script host.

local skynet = require "skynet"

-- Adapt: this many attacks within so many seconds, the seconds of the ban, and how many addresses are remembered. An attacker may have many addresses, so
-- that there must be an end.
local ATTACKS, WITHIN, BAN, MAX = 3, 30 * 60, 24 * 60 * 60, 50000

local HIGH = 3 -- get_detailed_info().risk_level: 0 none, 1 low, 2 medium, 3 high

local match = { host = ".*", urlpath = ".*", target = skynet.MATCH_TARGET_DETECT }

skynet.register(skynet.TYPE_PROCESS, match, function(ip)
    local attack = skynet.get_detailed_info()
    if attack.risk_level < HIGH then
        return
    end

    -- A value is a text: the times, with blanks between them. Those that are too old are left out.
    local times, known = { attack.timestamp }, skynet.db_get(skynet.DB_LOCAL, ip)
    for time in (known or ""):gmatch("%d+") do
        if tonumber(time) > attack.timestamp - WITHIN then
            times[#times + 1] = time
        end
    end
    if #times < ATTACKS then
        if not known and skynet.db_size(skynet.DB_LOCAL) >= MAX then
            skynet.db_clear(skynet.DB_LOCAL)
            skynet.log("repeated attacks", "more than " .. MAX .. " addresses: their attacks count anew")
        end
        skynet.db_set(skynet.DB_LOCAL, ip, table.concat(times, " "))
        return
    end

    local problem = skynet.action_ban({ ip = ip }, BAN)
    skynet.db_del(skynet.DB_LOCAL, ip)
    skynet.log("repeated attacks", ip .. (problem and " cannot be banned: " .. problem or " is banned for " .. BAN .. " s"))
end)

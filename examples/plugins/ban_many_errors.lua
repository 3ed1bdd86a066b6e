-- Bans an address that gets many answers 40x: it looks for pages that might be there.

local skynet = require "skynet"

-- Adapt: more than this many errors within so many seconds, and the seconds of the ban.
local ERRORS, WITHIN, BAN = 60, 120, 10 * 60

local function process(ip)
    local errors = skynet.stat_resp_code({ ip = ip }, WITHIN)[skynet.RESP_CODE_4XX]
    if errors > ERRORS then
        local problem = skynet.action_ban({ ip = ip }, BAN)
        skynet.log("many errors", ip .. " got " .. errors .. " errors" .. (problem and ", and cannot be banned: " .. problem or ""))
    end
end

-- Once a second for each address, of both kinds, is often enough: the counts are there anyway.
for _, network in ipairs({ "0.0.0.0/0", "::/0" }) do
    skynet.register(skynet.TYPE_PROCESS, { ip = network, target = skynet.MATCH_TARGET_ACCESS }, process)
end

-- Reports attacks on or through a script that is already on the server: a backdoor, or a file that is included, and the server answered 200.
-- A rule that only logs lets such a request through, so each line wants somebody to look.

local skynet = require "skynet"

-- Adapt: the types of attacks that matter; 5 is a backdoor, 11 the inclusion of a file.
local TYPES = { [5] = true, [11] = true }

local match = { host = ".*", urlpath = ".*", target = skynet.MATCH_TARGET_DETECT }

skynet.register(skynet.TYPE_PROCESS, match, function(ip, host, urlpath)
    local attack = skynet.get_detailed_info()
    -- The status is a text.
    if TYPES[attack.attack_type] and attack.resp_status_code == "200" then
        local found = "rule " .. attack.rule_id .. " found " .. host .. urlpath
        skynet.log("backdoor", found .. ", which answered " .. ip .. " (" .. attack.event_id .. ")")
    end
end)

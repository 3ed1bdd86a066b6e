-- Puts clients that were blocked at least five times within a day on a list, which blocks them altogether.
--
--   SecExtension blocked_today.lua cron:"*/10 * * * *"
--   SecSiteId 1
--   SecIpList blacklist list:blocked_today site:1

local SITE, LIST, TIMES = "1", "blocked_today", 5

local rows, problem = sql_query(([[
    select remote_addr as ip
    from waf_request_tsdb
    where action = 'block'
      and created >= now() - interval '24 hours'
      and app_id = '%s'
    group by remote_addr
    having count(*) >= %d
]]):format(SITE, TIMES), 60, 20000, "log_server")
if not rows then
    return output("no clients:", problem)
end

local update = require "Lua.SchemaDB".update
local done, reason = update({ "applications", SITE, "ip_list", LIST }, { items = rows })
output(done and #rows .. " clients are on the list" or "the list stays as it was: " .. reason)

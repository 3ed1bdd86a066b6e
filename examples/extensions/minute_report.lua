-- Posts the load of each node in the last hour to a monitoring system of yours, as JSON.
--
--   SecExtension minute_report.lua cron:"* * * * *"
--   SecScriptConnect monitoring.example:8443
--
-- If its address is private, name that as well: SecScriptConnect 10.1.2.3:8443

local URL = "https://monitoring.example:8443/nodes"

local rows, problem = sql_query([[
    select node_id,
           avg("system_CPU_percent") as cpu,
           max("system_memory_percent") as memory,
           sum(requests) as requests,
           sum(blocked) as blocked
    from monitor
    where created > now() - interval '1 hour'
    group by node_id
    order by node_id
]], 20, 100, "log_server")
if not rows then
    return output("no figures:", problem)
end

local answer, reason = http_query("POST", URL, { timeout = 10000, body = rows }, 2)
if not answer then
    return output("not posted:", reason)
end
output(("posted %d nodes: status %d"):format(#rows, answer.status))

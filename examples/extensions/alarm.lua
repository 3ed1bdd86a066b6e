-- Sends an alarm if more than a hundred requests were blocked within ten minutes, with the rules that found most.
--
--   SecExtension alarm.lua cron:"*/10 * * * *"
--   SecAlarm https://alarms.example/waf

local TOO_MANY = 100

local rows, problem = sql_query([[
    select rule_id, msg, count(*) as found
    from waf_request_tsdb
    where action = 'block' and created > now() - interval '10 minutes'
    group by rule_id, msg
    order by found desc
    limit 20
]], 30, 20, "log_server")
if not rows then
    return output("no figures:", problem)
end

local total, lines = 0, {}
for _, row in ipairs(rows) do
    total = total + row.found
    lines[#lines + 1] = ("%d times rule %s: %s"):format(row.found, row.rule_id, row.msg or "")
end
if total <= TOO_MANY then
    return output(total, "requests were blocked")
end
local sent, reason = send_alarm_event("attacks", "WARNING", table.concat(lines, "; "))
output(sent and "alarm sent" or "no alarm: " .. reason)

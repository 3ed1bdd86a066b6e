-- Checks once a day that hosts of yours answer with a certificate that browsers accept.
--
--   SecExtension certificates.lua cron:"15 6 * * *"
--   SecScriptConnect 10.1.2.0/24:443
--
-- The second line is for hosts with private addresses, and names them; without any it is not needed.

local HOSTS = { "www.shop.example", "api.shop.example" }

local client = require "resty.http".new()
client:set_timeout(5000)

local bad = {}
for _, host in ipairs(HOSTS) do
    local ok, problem = client:connect(host, 443)
    if ok then
        ok, problem = client:ssl_handshake(nil, host, true)
        client:close()
    end
    output(host, ok and "is fine" or problem)
    if not ok then
        bad[#bad + 1] = host .. ": " .. problem
    end
end
if #bad > 0 then
    send_alarm_event("certificate", "ERROR", table.concat(bad, "; "))
end

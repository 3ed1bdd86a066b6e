-- Judges two requests by one rule and prints what becomes of them.

local folder = arg[0]:match "^(.*/)" or "./"
package.path = folder .. "?.lua;" .. package.path

local secrule = require "secrule"

local engine = secrule.engine "secrule's example for LuaJIT"
local rules = engine:rules():add [[
SecRuleEngine On
SecRule ARGS:testparam "@contains test" "id:1234,deny,status:403"
]]

local function judge(uri)
    local transaction = engine:transaction(rules)
    local decision = transaction:connection("127.0.0.1", 40000, "127.0.0.1", 80)
        or transaction:uri(uri, "GET", "1.1")
    if not decision then
        transaction:request_header("Host", "localhost")
        decision = transaction:request_headers() or transaction:request_body()
    end
    transaction:logging()
    transaction:close()
    return decision
end

for _, uri in ipairs { "/index.php?testparam=test", "/index.php?testparam=other" } do
    local decision = judge(uri)
    if decision then
        print(("GET %s: denied with %d: %s"):format(uri, decision.status, decision.log))
    else
        print(("GET %s: passed"):format(uri))
    end
end

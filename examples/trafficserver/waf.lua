--- A web application firewall for Apache Traffic Server: a script for its plugin tslua.so.
--
--   plugin.config:   tslua.so --states=4 /etc/trafficserver/waf.lua /etc/trafficserver/waf.conf
--
-- Each exchange is one transaction: the request line and headers when they are read, the request body before anything goes to the origin
-- server, the response headers when they come, the response body (of the types below) before anything goes to the client. README.md says
-- what Traffic Server does not let a script do.

local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
package.path = table.concat({ folder .. "?.lua", folder .. "../luajit/?.lua", package.path }, ";")

-- The responses whose bodies are judged; each is held in memory until its end.
local TYPES = { "^text/", "^application/json", "^application/xml", "^application/[%w.-]+%+json", "^application/[%w.-]+%+xml" }

local PAGE = "<!DOCTYPE html>\n<title>%d</title>\n<p>This request was stopped by the web application firewall.</p>\n"

-- What a hook gives to let the exchange go on, and to have Traffic Server answer instead.
local CONTINUE, STOP = 0, -1

local engine, rules

--- Reads the rules: every argument after the script's name is a file. Where that fails Traffic Server ends, which would else run without
-- a firewall.
function __init__(arguments)
    local worked, message = pcall(function()
        engine = require("secrule").engine "secrule's example for Traffic Server"
        rules = engine:rules()
        for _, file in ipairs(arguments) do
            rules:add_file(file)
        end
    end)
    if not worked then
        ts.fatal("the firewall does not start: " .. tostring(message))
    end
    return 0
end

--- Has Traffic Server answer with what was decided.
local function stop(exchange, decision)
    exchange.decision = decision
    -- Traffic Server takes only the status of an error here; `send_response` puts the one that was decided.
    ts.http.set_resp(403, PAGE:format(decision.status))
    return STOP
end

--- The decision where the script itself fails: a firewall that broke lets nothing through.
local function failure(message)
    return { status = 500, log = "the firewall's script failed: " .. tostring(message) }
end

--- A hook that runs `work`, and stops the exchange where that decides so.
local function hook(exchange, work)
    return function()
        local worked, decision = pcall(work, exchange)
        if not worked then
            decision = failure(decision)
        end
        return decision and stop(exchange, decision) or CONTINUE
    end
end

--- A transform that holds a body back, judges it at its end, and lets it go on; a body that was refused gives way to the page. It may not
-- use what belongs to hooks: the next hook finds the decision in `exchange.refused`.
local function body(exchange, append, judge)
    local held = {}
    return function(chunk, at_end)
        local worked, decision = pcall(function()
            return append(exchange.transaction, chunk) or at_end == 1 and judge(exchange.transaction)
        end)
        if not worked then
            decision = failure(decision)
        end
        exchange.refused = exchange.refused or decision
        if exchange.refused then
            held = { PAGE:format(exchange.refused.status) }
        else
            held[#held + 1] = chunk
        end
        if at_end == 0 then
            return "", 0
        end
        exchange.body_ended = true
        return table.concat(held), 1
    end
end

local function add_headers(headers, add, transaction)
    for name, value in pairs(headers) do
        add(transaction, name, value)
    end
end

--- The address as the client sent it: Traffic Server keeps its parts.
local function address()
    local request = ts.client_request
    local path, parameters, query = request.get_uri(), request.get_uri_params(), request.get_uri_args()
    if parameters and parameters ~= "" then
        path = path .. ";" .. parameters
    end
    if query and query ~= "" then
        path = path .. "?" .. query
    end
    return path
end

local function read_request(exchange)
    exchange.transaction = engine:transaction(rules)
    local transaction, request = exchange.transaction, ts.client_request
    local client, client_port = request.client_addr.get_addr()
    local decision = transaction:connection(client, client_port, "0.0.0.0", request.client_addr.get_incoming_port())
        or transaction:uri(address(), request.get_method(), request.get_version())
    if decision then
        return decision
    end
    if request.header["Transfer-Encoding"] then
        return { status = 411, log = "a request body without a length cannot be judged" }
    end
    exchange.has_body = tonumber(request.header["Content-Length"] or 0) ~= 0
    add_headers(request.get_headers(), transaction.request_header, transaction)
    decision = transaction:request_headers()
    if decision or exchange.has_body then
        return decision
    end
    return transaction:request_body()
end

--- The request is about to go to the origin server; its body was judged by now, unless Traffic Server did not show it, as with TRACE.
local function send_request(exchange)
    if exchange.has_body and not exchange.body_ended then
        return { status = 400, log = "a request body was not seen and cannot be judged" }
    end
    return exchange.refused
end

local function is_judged(method, status, kind)
    if method == "HEAD" or status == 204 or status == 304 or not kind then
        return false
    end
    for _, pattern in ipairs(TYPES) do
        if kind:lower():find(pattern) then
            return true
        end
    end
    return false
end

local function read_response(exchange)
    local transaction, response = exchange.transaction, ts.server_response
    local status = response.get_status()
    add_headers(response.get_headers(), transaction.response_header, transaction)
    local decision = transaction:response_headers(status, "HTTP/" .. response.get_version())
    if decision then
        return decision
    end
    if is_judged(ts.client_request.get_method(), status, response.header["Content-Type"]) then
        ts.hook(TS_LUA_RESPONSE_TRANSFORM, body(exchange, transaction.response_chunk, transaction.response_body))
    end
end

--- The response is about to go to the client: a decision becomes its status, wherever it was taken.
local function send_response(exchange)
    local decision, response = exchange.decision or exchange.refused, ts.client_response
    if not decision then
        return
    end
    if decision.log then
        ts.error(decision.log)
    end
    response.set_status(decision.status)
    response.header["Content-Type"] = "text/html"
    response.header["Content-Encoding"] = nil
    response.header["Location"] = decision.url
    exchange.transaction:answered(decision.status)
end

local function close(exchange)
    exchange.transaction:logging()
    exchange.transaction:close()
end

--- Traffic Server calls this for each request whose headers it has read.
function do_global_read_request()
    local exchange = {}
    ts.hook(TS_LUA_HOOK_SEND_REQUEST_HDR, hook(exchange, send_request))
    ts.hook(TS_LUA_HOOK_READ_RESPONSE_HDR, hook(exchange, read_response))
    ts.hook(TS_LUA_HOOK_SEND_RESPONSE_HDR, function()
        pcall(send_response, exchange)
        return CONTINUE
    end)
    ts.hook(TS_LUA_HOOK_TXN_CLOSE, function()
        close(exchange)
        return CONTINUE
    end)
    local verdict = hook(exchange, read_request)()
    if verdict == CONTINUE and exchange.has_body then
        local transaction = exchange.transaction
        ts.hook(TS_LUA_REQUEST_TRANSFORM, body(exchange, transaction.request_chunk, transaction.request_body))
    end
    return verdict
end

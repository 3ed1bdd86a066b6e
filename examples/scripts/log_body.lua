-- Appends the request body to a file, one request a line:
--
--   SecRule REQUEST_METHOD "POST" "phase:2,id:22,pass,exec:log_body.lua"
--
-- SECRULE_BODY_LOG names the file; without it, bodies.log in the folder that the host runs in.

function main()
    local body = m.getvar("REQUEST_BODY")
    if not body then
        return
    end
    local path = os.getenv("SECRULE_BODY_LOG") or "bodies.log"
    local file, problem = io.open(path, "ab")
    if not file then
        m.log(1, "the body cannot be kept: " .. problem)
        return
    end
    -- No body can begin a line of its own.
    file:write(m.getvar("UNIQUE_ID"), " ", (body:gsub("[%c\\]", function(c) return ("\\x%02x"):format(c:byte()) end)), "\n")
    file:close()
end

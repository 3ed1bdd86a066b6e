-- Blocks clients that falsely claim to be a known crawler, and bans them for an hour.

local exempts = { "ExampleBot-Preview" }
local minutes = 60

function should_block()
    return is_verified_crawler(request.client_ip, request.headers["User-Agent"], exempts, minutes)
end

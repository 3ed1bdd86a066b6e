-- Blocks an address that exceeds SecRateLimit; one that continues is banned for ten minutes.

function should_block()
    if not is_rate_limited(request.client_ip, request.site_id) then
        return 0
    end
    log("too many requests from " .. request.client_ip)
    if request.method == "POST" then
        ban_ip(request.client_ip, request.site_id, 10)
    end
    return 1
end

-- Blocks addresses that SecIpList blacklist names, or that are banned.

function should_block()
    if is_ip_blacklisted(request.client_ip, request.site_id) then
        log("on the blacklist: " .. request.client_ip)
        return 1
    end
    return 0
end

-- Lets addresses pass that SecIpList whitelist names: the scripts behind this one are not asked.

function should_block()
    if is_ip_whitelisted(request.client_ip, request.site_id) then
        return -1
    end
    return 0
end

-- Lets addresses pass that SecIpList whitelist names: later decision scripts do not run.

function should_block()
    if is_ip_whitelisted(request.client_ip, request.site_id) then
        return -1
    end
    return 0
end

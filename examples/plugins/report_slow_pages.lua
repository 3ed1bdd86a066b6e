-- Reports pages that are slow: the average time that the server's application took for them in the last minute.

local skynet = require "skynet"

-- Adapt: slower than so many seconds on average, of at least this many visits, and the seconds until a page is reported again.
local SLOW, VISITS, AGAIN = 2, 10, 10 * 60

local reported, count = {}, 0

-- Once a second for each page.
local match = { host = ".*", urlpath = ".*", target = skynet.MATCH_TARGET_ACCESS }

skynet.register(skynet.TYPE_PROCESS, match, function(_, host, urlpath)
    local page, key = host .. urlpath, { host = host, urlpath = urlpath }
    if os.time() - (reported[page] or 0) < AGAIN then
        return
    end
    local visits, seconds = skynet.stat_visit(key, 60), skynet.stat_time(key, 60)
    if visits >= VISITS and seconds / visits > SLOW then
        skynet.log("slow", string.format("%s takes %.1f s, on average of %d visits", page, seconds / visits, visits))
        count = count + 1
        if count > 1000 then
            reported, count = {}, 1 -- clients choose paths, so that this must not grow without end
        end
        reported[page] = os.time()
    end
end)

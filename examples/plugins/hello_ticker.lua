-- Writes a line every few seconds. Locals live on between the calls, until the script host ends.

local skynet = require "skynet"

-- Adapt: seconds between two lines.
local EVERY = 10

local ticks = 0

skynet.register(skynet.TYPE_TICKER, EVERY, function(seconds)
    ticks = ticks + 1
    skynet.log("hello", "tick " .. ticks .. ", one every " .. seconds .. " s")
end)

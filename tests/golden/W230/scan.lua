package.path = "/opt/scripts/?.lua"
local scanner = require("scanner")

function main()
    return scanner.scan()
end

local zlib, os, m = require "zlib", require "os", require "m"

function main()
    local available, database = pcall(require, "luasql.mysql")
    return nil
end

-- `socket.unix`: connections to sockets of the file system. The module is a function too, as its first versions were.

local _, _, require = ...
local socket = require("socket")

return socket._unix

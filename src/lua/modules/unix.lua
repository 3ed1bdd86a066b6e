-- `socket.unix`: connections to Unix sockets. The module is also a function, as in its first versions.

local _, _, require = ...
local socket = require("socket")

return socket._unix

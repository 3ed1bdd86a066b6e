local skynet = require "skynet"

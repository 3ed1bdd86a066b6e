-- `zlib`, compatible with lua-zlib: streams are functions from a piece to a piece.

local native, parts = ...
local error, text, number = parts.base.error, parts.text, parts.number

local zlib = { BEST_SPEED = 1, BEST_COMPRESSION = 9, NO_COMPRESSION = 0, DEFAULT_COMPRESSION = -1 }

-- The library's `windowBits`: a zlib header, and for reading also a gzip header.
local ZLIB, ZLIB_OR_GZIP = 15, 47

local function opened(handle)
    return handle or error("too many open streams", 3)
end

local function stepped(problem, output, is_ended, read, written)
    if problem then
        error(problem, 3)
    end
    return output, is_ended, read, written
end

function zlib.inflate(bits)
    local handle = opened(native.inflate(number(bits, ZLIB_OR_GZIP, 1, "inflate")))
    return function(piece)
        local output, is_ended, read, written = stepped(native.step_inflate(handle, piece and text(piece, 1, "inflate") or ""))
        return output, is_ended, read, written
    end
end

-- Without a piece the stream is finished.
function zlib.deflate(level, bits)
    local handle = opened(native.deflate(number(level, -1, 1, "deflate"), number(bits, ZLIB, 2, "deflate")))
    return function(piece, flush)
        if not piece then
            piece, flush = "", "finish"
        end
        local output, is_ended, read, written = stepped(native.step_deflate(handle, text(piece, 1, "deflate"), flush))
        return output, is_ended, read, written
    end
end

function zlib.version()
    return 1, 2, 13
end

return zlib

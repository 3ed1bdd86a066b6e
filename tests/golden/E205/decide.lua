function shoud_block(request)
    return 1
end

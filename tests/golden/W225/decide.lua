function mian()
    return "found"
end

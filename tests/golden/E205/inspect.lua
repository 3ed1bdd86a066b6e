function main()
  if m.getvar("ARGS.q") then
    return "found"
end

-- A rule that no operator can express: many arguments that are all long and all different.
--
--   SecRuleScript score.lua "phase:2,id:24,block"

function main()
    local seen, different, long = {}, 0, 0
    for _, argument in ipairs(m.getvars("ARGS", { "lowercase", "compressWhitespace" })) do
        if not seen[argument.value] then
            seen[argument.value], different = true, different + 1
        end
        if #argument.value > 200 then
            long = long + 1
        end
    end
    if different > 20 and long > 10 then
        m.setvar("tx.odd_form", long)
        return ("%d different arguments, %d of them long"):format(different, long)
    end
end

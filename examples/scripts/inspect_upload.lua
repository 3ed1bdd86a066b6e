-- Matches a value that looks like a PHP script:
--
--   SecRule ARGS|FILES_TMP_CONTENT "@inspectFile inspect_upload.lua" "phase:2,id:23,deny,t:lowercase"

function main(value)
    if value:find("<?php", 1, true) or value:find("<?=", 1, true) then
        return "a script of PHP"
    end
end

-- Returns the history of a record.
local record = load('')
return record and history_of(record) or false

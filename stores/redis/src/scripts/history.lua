-- Returns the creation, the last change and the number of changes of a record.
local record = load('')
return record and { record.created, record.updated, record.updates } or false

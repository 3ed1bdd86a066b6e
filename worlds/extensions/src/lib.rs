//! Extensions: scripts that run on a timetable or an event, query databases and send reports.

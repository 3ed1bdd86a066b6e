-- Puts each event into the history, to see what events are like before a script for them is written.
--
--   SecExtension print_event.lua event:waf_event,nodes_heartbeat_offline,nodes_heartbeat_online,release

output(trigger_event)

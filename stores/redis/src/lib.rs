//! A store in Redis 7 or Valkey 8: all machines of a site share collections, bans and rates.
//!
//! # URLs
//!
//! | URL | server |
//! | --- | --- |
//! | `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` | one server; the port is 6379, the database 0 |
//! | `rediss://…` | the same over TLS: chain and name are checked, by the system's authorities or those in the file of the parameter `?ca=FILE` |
//! | `redis-sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…/SERVICE[/DATABASE]` | the master of a service that sentinels name; their port is 26379, and `?sentinel_user=…&sentinel_password=…` is for them |
//! | `redis-cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…` | a cluster, some of whose nodes are named |
//! | `rediss-sentinel://…`, `rediss-cluster://…` | the same over TLS, to all of them |
//!
//! `valkey` may stand for `redis`. A sign that has a meaning in URLs, such as `@`, is written as `%40`.
//!
//! # Calls
//!
//! Nothing is connected to before the first call of each process, because hosts load rules and then fork. A process has at most eight connections to a
//! server, one for each call at a time. A call is one round trip: a script that runs on the server, or one command, so that it is atomic. It ends by its
//! deadline, whatever the server does: time to wait for a connection, for the name of a host and for TLS is within it. A connection whose call failed
//! is closed. A call that failed may have been carried out.
//!
//! One call lists records, and takes longer: it looks at all keys of the server.
//!
//! A process that asks for bans has a thread that looks every 50 ms whether there are any, so that requests need not. While the server does not answer,
//! there may be some: then the requests ask, and are told that the store is down.
//!
//! # Keys
//!
//! | key | what | ends |
//! | --- | --- | --- |
//! | `secrule:record:WEB APPLICATION:COLLECTION:KEY` | a record: a hash of its variables | with its timeout, or with its last variable if all expire; after 30 days without a change if it has no timeout |
//! | `secrule:count:…` | what was counted against a rate | when it is within the rate again |
//! | `secrule:{all}:bans`, `secrule:{all}:ban-names` | sorted sets of bans by their end and by their name, at most 100,000 | with the last ban |
//! | `secrule:{all}:limits`, `secrule:{all}:quotas` | limits by their end, and their quotas; at most 100,000 | with the last limit |
//! | `secrule:{all}:list:NAME` | a list | a year after it was replaced |
//! | `secrule:{all}:changes` | the number of changes | a year after the last one |
//! | `secrule:map:NAME` | a map: a hash, at most 100,000 values and 64 MiB | a year after the last change |
//! | `secrule:lease:NAME` | the owner of a lease | with the lease |
//!
//! Keys that one script uses are in one slot of a cluster. Each record has a slot of its own, so that a cluster shares the load of one web application.
//!
//! A record with one variable takes about 260 bytes of the server's memory, each further one about 40 beyond its name and value; more if a value has more
//! than 30 bytes or the record more than 100 variables. A ban takes about 260 bytes.
//!
//! # Time
//!
//! Times are those of the server's clock. An end is sent and returned as the time that is left, so that the clocks of machines need not agree. The times
//! of a record's history are the server's.
//!
//! # What is lost when
//!
//! A server that is started again has what it wrote to its disk: nothing with `appendonly no` and `save ""`, all but the last second with
//! `appendonly yes`. A failover to a replica loses what the master did not send to it. Versions of lists and the number of changes are above the time of
//! their last change, so that no process takes a list of before for the one of after.
//!
//! What does not fit into the memory of the server is the server's to decide: with `maxmemory` and `maxmemory-policy volatile-lru` it drops the keys that
//! were not used for longest, because each key has an end; with `noeviction` a variable is not written, as if the store were full, and requests are not
//! counted.

mod address;
mod command;
mod connection;
mod keys;
mod names;
mod pool;
mod scripts;
mod servers;
mod slots;
mod store;
mod watch;

pub use address::AddressError;
pub use store::RedisStore;

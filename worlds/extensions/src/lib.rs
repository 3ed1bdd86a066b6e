//! Extensions: scripts that run on a timetable or an event, query databases and send reports.
//!
//! Takes exchanges, events and the time from a [host](secrule_host), and runs the scripts of `SecExtension`. Each run is a world of its own: a script
//! begins at its first line, and what it leaves behind is its output in the [history](read_history), and what it did to others.
//!
//! ```text
//! tick ─ timetable ──────────────┐
//! take ─ waf_event ─┬─ types ─ Queue ─ 4 threads ─ Runner ─ script ─ output, http_query, sql_query …
//! take_event ───────┤                                          └─ Run ─ History
//! take_node_event ──┘
//! ```
//!
//! # Limits
//!
//! | what | limit |
//! | --- | --- |
//! | time of a run, with all that it waits for | `SecExtensionTimeLimit`, 600 s |
//! | instructions of a run | 100 times `SecLuaInstructionLimit` |
//! | memory of a run | 256 MiB |
//! | runs at once | 4, and one of an extension |
//! | events that wait for an extension | 100; the oldest goes |
//! | `waf_event` of a client | one a second |
//! | output of a run | 64 KiB; the rest is left out |
//! | alarms of an extension | 10 a minute |
//! | body of a response, body that is made of a table | 16 MiB |

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// No event and no script may make the host panic: code that can panic is denied outside of tests.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod alarm_rate;
mod api;
mod clients;
mod databases;
mod event;
mod extensions;
mod history;
mod output;
mod place;
mod queue;
mod recording;
mod rule_set;
mod run;
mod runner;
pub mod sql;
mod timetable;
mod waf_event;

pub use databases::check as check_databases;
pub use extensions::{Extensions, StartFailure, check, next_time};
pub use history::{Filter, append as append_history, read as read_history};
pub use run::{Cause, Ending, Run};
pub use runner::run_by_hand;

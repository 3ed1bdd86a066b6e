//! Refuses requests that are banned, on a list of the store, or beyond a limit of it, before any rule of their phase runs.

use super::decision::site_of;
use super::lists::{blocking_list, is_whitelisted, refresh_lists};
use super::notice::notice;
use super::{Evaluation, client};
use crate::graph::{EngineMode, SiteId};
use crate::store::{Down, RequestKey, Store, time_text};
use std::time::{Instant, SystemTime};

/// Causes of notices about requests that would be denied.
const BAN: &str = "ban";
const LIST: &str = "list";

/// Status of a request beyond a limit: Too Many Requests.
const BEYOND_LIMIT: u16 = 429;

/// Denies the request if its client is on a block list of the store, or if it is banned or beyond a limit. A client on an allow list is none of this.
/// While there are no bans and no limits, and the rules name no list of the store, this takes one look at a variable of the process.
pub fn deny_banned(eval: &mut Evaluation<'_>) {
    let has_bans = eval.services.store.has_bans();
    if has_bans || !eval.services.lists.is_empty() {
        refresh_lists(eval);
        look_up(eval, has_bans);
    }
}

#[inline(never)]
fn look_up(eval: &mut Evaluation<'_>, has_bans: bool) {
    let lists = &eval.services.lists;
    let settings = &eval.rules.settings;
    let collections = &eval.state.collections;
    let site = site_of(eval);
    let address = client::client(collections, &settings.decisions.trusted).map(|client| client.address);
    if address.is_some_and(|address| is_whitelisted(eval.rules, lists, address, site)) {
        return;
    }
    let status = settings.plugin_status;
    if let Some((address, name)) = address.and_then(|address| Some((address, blocking_list(eval.rules, lists, address, site)?))) {
        return deny(eval, LIST, status, &format!("{address} is on the list {name}."));
    }
    if !has_bans {
        return;
    }
    let read = |text| collections.arena.read(text);
    let (host, path) = (read(collections.scalars.server_name), read(collections.scalars.request_filename));
    let keys = RequestKey::all_of(Some(site).filter(|site| *site != SiteId(0)), address, host, path);
    let client = address.map_or_else(|| "a client without an address".to_owned(), |address| address.to_string());
    if let Some(until) = ask(eval, |store, by| store.banned_until(&keys, by)) {
        deny(eval, BAN, status, &format!("{client} is banned until {}.", time_text(until)));
    } else if let Some(until) = ask(eval, |store, by| store.limited_until(&keys, by)) {
        deny(eval, BAN, BEYOND_LIMIT, &format!("{client} is beyond a limit that holds until {}.", time_text(until)));
    }
}

/// Denies the request, or if the engine only detects, gives a notice.
fn deny(eval: &mut Evaluation<'_>, cause: &str, status: u16, reason: &str) {
    let is_on = eval.engine_mode() == EngineMode::On;
    eval.state.pending.is_banned |= is_on && !eval.is_decided();
    if eval.engine_mode() == EngineMode::DetectionOnly {
        notice(eval, cause, || format!("{reason} The engine only detects, so the request passes."));
    }
    eval.reject_with(status, &format!("Access denied with code {status} (phase 1). {reason}"));
}

/// Asks the store, unless it did not answer before in this exchange.
fn ask(eval: &mut Evaluation<'_>, question: impl FnOnce(&dyn Store, Instant) -> Result<Option<SystemTime>, Down>) -> Option<SystemTime> {
    eval.state.collections.ask_store(&eval.rules.settings, eval.services.store.as_ref(), question).flatten()
}

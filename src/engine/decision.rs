//! Decision scripts: each blocks the request, lets it pass, or leaves it to the next.

use super::lists::{is_on_block_list, is_whitelisted, refresh_lists};
use super::pending_match::PendingMatch;
use super::sanitise::keep_script_text;
use super::script::{limits, note_script, script_failed, spend_on_script};
use super::{Evaluation, client};
use crate::escape::text;
use crate::graph::{OnFailure, SiteId};
use crate::lua::{self, Budget, Call, Failure, Host, Question, Reply, Returned, World};
use crate::script::Script;
use crate::state::MatchText;
use crate::store::{Down, Quota, Rate, RequestKey, Store};
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant, SystemTime};

/// Maximum length of a ban: ten years.
pub const LONGEST_BAN: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Maximum time for a ban that follows a look-up in the background.
const LATER: Duration = Duration::from_secs(1);

/// Runs a decision script, unless an earlier one let the request pass. Returns `true` if it blocks.
pub fn ask_decision(eval: &mut Evaluation<'_>, script: &Script, draft: &mut PendingMatch) -> bool {
    if eval.state.flow.let_pass {
        eval.debug(4, || format!("Decision script {}: one before it let the request pass.", script.name()));
        return false;
    }
    eval.debug(4, || format!("Decision script {}: should_block()", script.name()));
    let call = Call { script, world: World::Decision, sandboxed: true, limits: limits(&eval.rules.settings) };
    let mut host = OfDecision { eval, script, last_words: Vec::new() };
    let returned = lua::run(&call, &mut host);
    let last_words = host.last_words;
    match returned {
        Ok(Returned::Number(0.0, _)) => false,
        Ok(Returned::Number(-1.0, _)) => {
            eval.debug(4, || format!("Decision script {}: it lets the request pass.", script.name()));
            eval.state.flow.let_pass = true;
            false
        }
        Ok(Returned::Number(1.0, number)) => {
            block_by_script(eval, script, number, draft);
            if draft.logs {
                draft.entry().message = format!("Blocked by decision script {}", script.name()).into_bytes();
                keep_script_text(eval, MatchText::Message, b"", draft);
                keep_script_text(eval, MatchText::Data, &last_words, draft);
                draft.entry().data = last_words;
            }
            true
        }
        Ok(other) => {
            let returned = match other {
                Returned::Number(_, text) | Returned::Text(text) => text_of(&text),
                Returned::Other(kind) => kind,
                Returned::Nothing => "nil".to_owned(),
            };
            let failure = Failure::Script(format!("should_block returned {returned}, which is none of 0, 1 and -1"));
            decision_failed(eval, script, &failure, draft)
        }
        Err(failure) => decision_failed(eval, script, &failure, draft),
    }
}

/// Notes that a decision script failed. Returns `true` if that blocks the request: `SecDecisionFailure closed`.
fn decision_failed(eval: &mut Evaluation<'_>, script: &Script, failure: &Failure, draft: &mut PendingMatch) -> bool {
    script_failed(eval, script, failure);
    let blocks = eval.rules.settings.decision_failure == OnFailure::Closed;
    if blocks {
        block_by_script(eval, script, failure.to_string().into_bytes(), draft);
        keep_script_text(eval, MatchText::Message, b"", draft);
        draft.entry().message = format!("Blocked, for decision script {} failed", script.name()).into_bytes();
    }
    blocks
}

/// Prepares the match of a decision script that blocks.
fn block_by_script(eval: &mut Evaluation<'_>, script: &Script, found: Vec<u8>, draft: &mut PendingMatch) {
    eval.state.pending.name_status(eval.rules.settings.decision_status);
    note_script(eval, script, found, draft);
}

/// Returns the site of the request: the one that the host named, that of `SecSiteId`, or that of the `Host` header by `SecSite`.
pub fn site_of(eval: &Evaluation<'_>) -> SiteId {
    let settings = &eval.rules.settings;
    let of_host = || settings.decisions.site_of(eval.state.collections.arena.read(eval.state.collections.scalars.server_name));
    eval.state.site.or(settings.site).or_else(of_host).unwrap_or_default()
}

/// Returns the bans of an address that count for a site: from all sites and from this one, by scripts and by others.
pub fn possible_bans(address: IpAddr, site: SiteId) -> [RequestKey; 4] {
    let [of_all, of_site] = [SiteId(0), site].map(|site| ban_key(address, site));
    [of_all.clone().only_for_scripts(), of_site.clone().only_for_scripts(), of_all, of_site]
}

/// Returns the key of a ban from a site; site 0 means all sites.
pub fn ban_key(address: IpAddr, site: SiteId) -> RequestKey {
    RequestKey::of_address(Some(site).filter(|site| *site != SiteId(0)), address)
}

/// Ends the bans of an address from exactly this site, by scripts and by others. Returns `true` if there was one.
pub fn unban(store: &dyn Store, address: IpAddr, site: SiteId, by: Instant) -> Result<bool, Down> {
    let key = ban_key(address, site);
    let was_banned = store.unban(&key, by)?;
    Ok(store.unban(&key.only_for_scripts(), by)? || was_banned)
}

/// Host functions of a decision script.
struct OfDecision<'a, 'r> {
    eval: &'a mut Evaluation<'r>,
    script: &'a Script,
    /// The last text that it logged: the data of its match.
    last_words: Vec<u8>,
}

impl Host for OfDecision<'_, '_> {
    fn spent(&mut self, instructions: u64) {
        spend_on_script(self.eval, instructions);
    }

    fn answer(&mut self, question: Question<'_>, _: &Budget) -> Reply<'_> {
        match question {
            Question::Log(_, message) => {
                self.log(&text(message));
                self.last_words = message.to_vec();
                Reply::Nothing
            }
            Question::Field(name) => self.field(name),
            Question::Headers => Reply::Pairs(self.headers()),
            other => self.about_address(other).unwrap_or_else(Reply::Senseless),
        }
    }
}

impl OfDecision<'_, '_> {
    fn log(&self, message: &str) {
        self.eval.debug(1, || format!("Decision script {}: {message}", self.script.name()));
    }

    fn field(&self, name: &[u8]) -> Reply<'_> {
        let collections = &self.eval.state.collections;
        let scalars = &collections.scalars;
        let body = || collections.arena.read(collections.arena.request_body());
        let limit = self.eval.rules.settings.decision_body_limit;
        match name {
            b"method" => Reply::Text(collections.arena.read(scalars.request_method).into()),
            b"uri" => Reply::Text(collections.arena.read(scalars.request_uri_raw).into()),
            b"body" => Reply::Text(body().get(..limit).unwrap_or(body()).into()),
            b"body_is_cut" => Reply::Truth(body().len() > limit),
            b"client_ip" => match client::client(collections, &self.eval.rules.settings.decisions.trusted).map(|client| client.address) {
                Some(address) => Reply::Text(address.to_string().into_bytes().into()),
                None => Reply::Text(collections.arena.read(scalars.remote_addr).into()),
            },
            b"timestamp" => Reply::Number(collections.clock.epoch().0 as f64),
            b"peer_ip" => Reply::Text(collections.arena.read(scalars.remote_addr).into()),
            b"site_id" => Reply::Number(site_of(self.eval).0 as f64),
            _ => Reply::Nothing,
        }
    }

    /// Returns the headers in the order of their arrival, each name once, with its values joined.
    fn headers(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        let collections = &self.eval.state.collections;
        for header in &collections.request_headers {
            let (name, value) = (collections.arena.read(header.name), collections.arena.read(header.value));
            let place = *places.entry(name.to_ascii_lowercase()).or_insert(headers.len());
            match headers.get_mut(place) {
                Some((_, joined)) => {
                    joined.extend_from_slice(b", ");
                    joined.extend_from_slice(value);
                }
                None => headers.push((name.to_vec(), value.to_vec())),
            }
        }
        headers
    }

    fn about_address(&mut self, question: Question<'_>) -> Result<Reply<'static>, String> {
        match question {
            Question::IsListed(address, site, is_allow_list) => {
                let site = self.site(site)?;
                // A client without an address, such as one on a Unix socket, is on no list.
                let Ok(address) = address_of(address) else { return Ok(Reply::Truth(false)) };
                refresh_lists(self.eval);
                let (rules, lists) = (self.eval.rules, &self.eval.services.lists);
                let listed = if is_allow_list {
                    is_whitelisted(rules, lists, address, site)
                } else {
                    is_on_block_list(rules, lists, address, site) || self.is_banned(address, site)
                };
                Ok(Reply::Truth(listed))
            }
            Question::Ban(address, site, minutes) => {
                let (address, site) = (address_of(address)?, self.site(site)?);
                let minutes = minutes.filter(|minutes| *minutes > 0.0).ok_or("a ban lasts a number of minutes above 0")?;
                self.ban(address, site, minutes);
                Ok(Reply::Nothing)
            }
            Question::Unban(address, site) => {
                let (address, site) = (address_of(address)?, self.site(site)?);
                let was_banned = self.ask_store(|store, by| unban(store, address, site, by));
                Ok(Reply::Truth(was_banned.unwrap_or_default()))
            }
            Question::IsRateLimited(address, site) => {
                let site = self.site(site)?;
                Ok(Reply::Truth(self.is_rate_limited(address, site)))
            }
            Question::IsVerifiedCrawler(address, agent, exempts, minutes) => {
                let address = address_of(address)?;
                Ok(Reply::Number(if self.is_false_crawler(address, agent, &exempts, minutes) { 1.0 } else { 0.0 }))
            }
            _ => Err(String::from("decision scripts cannot ask this")),
        }
    }

    /// Returns `true` if it is known that the client is not the crawler that it claims to be. While this is unknown, the look-up continues in the
    /// background, and bans the client if the claim turns out to be false.
    fn is_false_crawler(&mut self, address: IpAddr, agent: &[u8], exempts: &[Vec<u8>], minutes: f64) -> bool {
        let Some(crawler) = self.eval.rules.settings.decisions.crawler(agent) else { return false };
        let services = self.eval.services;
        let site = site_of(self.eval);
        let is_exempt = exempts.iter().any(|exempt| !exempt.is_empty() && memchr::memmem::find(agent, exempt).is_some());
        let bans = minutes > 0.0 && !is_exempt;
        let store = std::sync::Arc::clone(&services.store);
        let ban_later = move || {
            if bans {
                // Nobody waits for it. A store that does not answer is noticed by the next request that asks it.
                let _ = store.ban(&ban_key(address, site).only_for_scripts(), end_of_ban(minutes), Instant::now() + LATER);
            }
        };
        match services.origins.belongs(address, &crawler.domains, ban_later) {
            Some(true) => false,
            Some(false) => {
                self.log(&format!("{address} says that it is {}, and is not", crawler.token));
                if bans {
                    self.ban(address, site, minutes);
                }
                true
            }
            None => {
                self.log(&format!("the name server has not said yet whether {address} is {}", crawler.token));
                false
            }
        }
    }

    fn ban(&mut self, address: IpAddr, site: SiteId, minutes: f64) {
        let key = ban_key(address, site).only_for_scripts();
        let is_banned = self.ask_store(|store, by| store.ban(&key, end_of_ban(minutes), by)).is_some();
        let fact = if is_banned { "is banned" } else { "could not be banned" };
        self.log(&format!("{address} {fact} from site {} for {minutes} minutes", site.0));
    }

    fn is_banned(&mut self, address: IpAddr, site: SiteId) -> bool {
        let keys = possible_bans(address, site);
        self.eval.services.store.has_bans() && self.ask_store(|store, by| store.banned_until(&keys, by)).flatten().is_some()
    }

    /// Counts a request to a site, against the site's own limit, or that of all sites if it has none. Each site is counted separately. The requester
    /// is an address as text, or another name; IPv6 addresses are counted by their /64 network.
    fn is_rate_limited(&mut self, requester: &[u8], site: SiteId) -> bool {
        let rates = &self.eval.rules.settings.decisions.rates;
        let of = |site: SiteId| rates.iter().rev().find(|limit| limit.site == site);
        let Some(limit) = of(site).or_else(|| of(SiteId(0))) else { return false };
        let quota = Quota::new(limit.requests.get(), limit.period, limit.burst.get());
        let key = counted(site, requester);
        self.ask_store(|store, by| store.count(&key, quota, by)) == Some(Rate::Beyond)
    }

    fn ask_store<T>(&mut self, ask: impl FnOnce(&dyn Store, Instant) -> Result<T, Down>) -> Option<T> {
        self.eval.state.collections.ask_store(&self.eval.rules.settings, self.eval.services.store.as_ref(), ask)
    }

    fn site(&self, site: Option<f64>) -> Result<SiteId, String> {
        match site {
            None => Ok(site_of(self.eval)),
            Some(number) if number >= 0.0 && number.fract() == 0.0 => Ok(SiteId(number as u64)),
            Some(number) => Err(format!("{number} is not a site number")),
        }
    }
}

/// Returns the key by which the requests of a client to a site are counted. One client usually has all of an IPv6 /64 network.
fn counted(site: SiteId, requester: &[u8]) -> RequestKey {
    let address = std::str::from_utf8(requester).ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => RequestKey::of_address(Some(site), Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        Some(address) => RequestKey::of_address(Some(site), address),
        // Another name of a client, such as `unknown`.
        None => RequestKey { site: Some(site), host: Some(text(requester).into()), ..RequestKey::default() },
    }
}

fn end_of_ban(minutes: f64) -> SystemTime {
    SystemTime::now() + Duration::from_secs_f64((minutes * 60.0).min(LONGEST_BAN.as_secs_f64()))
}

fn address_of(bytes: &[u8]) -> Result<IpAddr, String> {
    let found = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
    found.map(|address| address.to_canonical()).ok_or_else(|| format!("`{}` is not an address", text(bytes)))
}

fn text_of(bytes: &[u8]) -> String {
    format!("`{}`", crate::escape::shown(bytes, 80))
}

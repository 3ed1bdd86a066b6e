//! The handle that a host keeps: rules, stores and logs, shared by all transactions, and replaced as a whole; imports every room below.

mod builder;
mod logs;
mod stores;

pub use builder::WafBuilder;
pub use stores::open as open_store;

use crate::compile::{Foundation, LoadError, LoadReport};
use crate::engine::{LONGEST_BAN, Services, ban_key, is_on_block_list, is_whitelisted, possible_bans, unban};
use crate::graph::{RuleGraph, SiteId};
use crate::source::{FileSystem, Loader};
use crate::store::{Ban, Down, LIST_TIME, ListError, Need, RequestKey, Store, list_entries, note_changed_list};
use crate::transaction::{Connection, Shared, Transaction};
use crate::vocabulary::Limit;
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Number of bans that one call of the store returns at most.
const PAGE: usize = 1_000;

/// A rule set, ready to judge requests.
///
/// Clones share everything, a [reload](Self::reload) included, so that each worker can have its own.
///
/// ```
/// use secrule::{Connection, Waf};
///
/// let waf = Waf::from_rules("SecRuleEngine On\nSecRule REQUEST_URI \"@contains /admin\" \"id:1,phase:1,deny\"")?;
/// let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
/// let (parts, ()) = http::Request::get("/admin").body(())?.into_parts();
/// assert_eq!(tx.request_head(&parts).unwrap_err().status(), 403);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Waf {
    current: Arc<ArcSwap<Shared>>,
}

/// Error of an event that was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EventError(String);

impl Waf {
    /// Starts to collect rules.
    pub fn builder() -> WafBuilder {
        WafBuilder::default()
    }

    /// Builds a rule set from text.
    ///
    /// # Errors
    /// Every error in the rules.
    pub fn from_rules(text: &str) -> Result<Self, LoadError> {
        Self::builder().rules("rules", text).build()
    }

    /// Builds a rule set from a file, and all files that it includes.
    ///
    /// # Errors
    /// Every error in the rules; a file that cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::builder().file(path).build()
    }

    fn of(shared: Shared) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(shared)) }
    }

    /// Begins an exchange with the current rules. A reload does not change the rules of an exchange that has begun.
    ///
    /// Rules of phase 0 run; the first call of the transaction returns their decision.
    pub fn begin(&self, connection: Connection) -> Transaction {
        Transaction::begin(self.current.load_full(), &connection)
    }

    /// Replaces the rules, for this handle and all its clones at once; exchanges that have begun keep theirs.
    ///
    /// Stores, bans and rates stay, and so do the resolver, the logs and the observer of the host, unless the builder sets others. Logs that the
    /// rules name are opened again if their names changed.
    ///
    /// # Errors
    /// As [`WafBuilder::build`]. The earlier rules stay.
    ///
    /// ```
    /// # use secrule::Waf;
    /// let waf = Waf::from_rules("SecRuleEngine On")?;
    /// assert!(waf.reload(Waf::builder().rules("new", "SecRule ARGS")).is_err());
    /// waf.reload(Waf::builder().rules("new", "SecRuleEngine DetectionOnly"))?;
    /// # Ok::<(), secrule::LoadError>(())
    /// ```
    pub fn reload(&self, builder: WafBuilder) -> Result<(), LoadError> {
        self.reload_with(builder, &FileSystem)
    }

    /// As [`reload`](Self::reload), with files from a loader.
    #[doc(hidden)]
    pub fn reload_with(&self, mut builder: WafBuilder, loader: &dyn Loader) -> Result<(), LoadError> {
        let before = self.current.load_full();
        builder.inherit(&before);
        let observer = builder.observer.clone();
        match builder.load(loader) {
            Ok(shared) => {
                let report = Arc::clone(&shared.report);
                self.current.store(Arc::new(shared));
                observer.inspect(|observer| observer.reloaded(&report));
                Ok(())
            }
            Err(error) => {
                observer.inspect(|observer| observer.reload_failed(&error));
                Err(error)
            }
        }
    }

    /// Replaces the rules with those of another rule set, for this handle and all its clones: for hosts that build several rule sets before they replace
    /// any of them.
    #[doc(hidden)]
    pub fn adopt(&self, other: &Self) {
        let shared = other.shared();
        self.current.store(Arc::clone(&shared));
        shared.observer.as_ref().inspect(|observer| observer.reloaded(&shared.report));
    }

    /// Bans an address from a site for some time, or from all sites with site 0, as [`ban_requests`](Self::ban_requests) does. Decision scripts find it
    /// on the blacklist.
    ///
    /// # Errors
    /// If the store does not answer within `SecStoreCallLimit`.
    pub fn ban(&self, address: IpAddr, site: u64, time: Duration) -> Result<(), Down> {
        self.ban_requests(&ban_key(address, SiteId(site)), time)
    }

    /// Ends a ban from exactly this site, also one by a decision script. Returns `true` if there was one.
    ///
    /// # Errors
    /// If the store does not answer within `SecStoreCallLimit`.
    pub fn unban(&self, address: IpAddr, site: u64) -> Result<bool, Down> {
        self.ask_store(|store, by| unban(store, address, SiteId(site), by))
    }

    /// Bans requests for some time. They are denied with `SecPluginStatus` before any rule of phase 1, in all processes that share the store, at the
    /// latest 100 ms from now. Clients on an allow list of `SecIpList` are not.
    ///
    /// # Errors
    /// If the store does not answer within `SecStoreCallLimit`.
    ///
    /// ```
    /// # use secrule::{RequestKey, Waf};
    /// # use std::time::Duration;
    /// let waf = Waf::from_rules("SecRuleEngine On")?;
    /// let logins = RequestKey::of_address(None, [192, 0, 2, 7].into()).with_url_path(b"/login");
    /// waf.ban_requests(&logins, Duration::from_secs(600))?;
    /// assert_eq!(waf.bans()?.len(), 1);
    /// assert!(waf.unban_requests(&logins)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ban_requests(&self, key: &RequestKey, time: Duration) -> Result<(), Down> {
        let until = SystemTime::now() + time.min(LONGEST_BAN);
        self.ask_store(|store, by| store.ban(key, until, by))
    }

    /// Ends the ban with exactly this key. Returns `true` if there was one.
    ///
    /// # Errors
    /// If the store does not answer within `SecStoreCallLimit`.
    pub fn unban_requests(&self, key: &RequestKey) -> Result<bool, Down> {
        self.ask_store(|store, by| store.unban(key, by))
    }

    /// Returns all bans, in the order of the store.
    ///
    /// # Errors
    /// If the store does not answer within `SecStoreCallLimit`, which each thousand of them may take.
    pub fn bans(&self) -> Result<Vec<Ban>, Down> {
        let mut bans: Vec<Ban> = Vec::new();
        loop {
            let after = bans.last().map(|ban| ban.key.clone());
            let page = self.ask_store(|store, by| store.bans(after.as_ref(), PAGE, by))?;
            let is_last = page.len() < PAGE;
            bans.extend(page);
            if is_last {
                return Ok(bans);
            }
        }
    }

    /// Returns `true` if an address is on a blacklist of the site or of all sites, or banned from one of them.
    ///
    /// # Errors
    /// If it is on no list, and the store does not answer within `SecStoreCallLimit`.
    pub fn is_blacklisted(&self, address: IpAddr, site: u64) -> Result<bool, Down> {
        let refreshed = self.refresh_lists();
        let shared = self.current.load();
        let is_listed = is_on_block_list(&shared.graph, &shared.services.lists, address, SiteId(site));
        let keys = possible_bans(address, SiteId(site));
        Ok(is_listed || refreshed.and_then(|()| self.ask_store(|store, by| store.banned_until(&keys, by)))?.is_some())
    }

    /// Returns `true` if an address is on a whitelist of the site or of all sites. If the store does not answer, its lists are those that this process
    /// has read before.
    pub fn is_whitelisted(&self, address: IpAddr, site: u64) -> bool {
        let _ = self.refresh_lists();
        let shared = self.current.load();
        is_whitelisted(&shared.graph, &shared.services.lists, address, SiteId(site))
    }

    /// Replaces a list of addresses and networks in the store, which `SecIpList … list:NAME` names. It counts in all processes that share the store, at the
    /// latest 100 ms from now; one of a million entries, after a second. Entries are kept in canonical form, and each of them once.
    ///
    /// # Errors
    /// If the name is not one, for the first entry that is neither an address nor a network, for more than a million entries; if the store has no room, or
    /// does not answer within 10 s.
    ///
    /// ```
    /// # use secrule::{Connection, Waf};
    /// let waf = Waf::from_rules("SecRuleEngine On\nSecIpList blacklist list:attackers")?;
    /// waf.put_list("attackers", &["192.0.2.0/24", "2001:db8::1"])?;
    /// let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    /// let (parts, ()) = http::Request::get("/").body(())?.into_parts();
    /// assert_eq!(tx.request_head(&parts).unwrap_err().status(), 403);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_list(&self, name: &str, entries: &[&str]) -> Result<(), ListError> {
        self.put_list_within(name, entries.iter().copied(), LIST_TIME)
    }

    /// Does the same in less time.
    #[doc(hidden)]
    pub fn put_list_within<'e>(&self, name: &str, entries: impl IntoIterator<Item = &'e str>, time: Duration) -> Result<(), ListError> {
        let entries = list_entries(name, entries)?;
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let store = Arc::clone(&self.current.load().services.store);
        store.put_list(name, &entries, Instant::now() + time.min(LIST_TIME))?;
        note_changed_list(&store);
        Ok(())
    }

    /// Returns the entries of a list in the store; `None` if there is no such list.
    ///
    /// # Errors
    /// If the store does not answer within 10 s.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, Down> {
        let list = self.current.load().services.store.list(name, None, Instant::now() + LIST_TIME)?;
        Ok(list.map(|(_, entries)| entries))
    }

    /// Brings the copies of the lists that the rules name up to date.
    fn refresh_lists(&self) -> Result<(), Down> {
        let shared = self.current.load();
        let lists = &shared.services.lists;
        match lists.need() {
            Need::Nothing => Ok(()),
            need => lists.refresh(need, self.deadline()).or_else(|down| if need == Need::Look { Ok(()) } else { Err(down) }),
        }
    }

    fn ask_store<T>(&self, ask: impl FnOnce(&dyn Store, Instant) -> Result<T, Down>) -> Result<T, Down> {
        ask(&*self.current.load().services.store, self.deadline())
    }

    /// Returns the deadline of a call of the store that begins now.
    fn deadline(&self) -> Instant {
        let wait = u64::try_from(self.current.load().graph.settings.limit(Limit::StoreCall)).unwrap_or(u64::MAX);
        let now = Instant::now();
        now.checked_add(Duration::from_millis(wait)).unwrap_or(now)
    }

    /// Returns the report of the last successful load.
    pub fn report(&self) -> Arc<LoadReport> {
        Arc::clone(&self.current.load().report)
    }

    /// Returns the number of audit records that were lost so far: they could not be written, or the server of `SecAuditLogType HTTPS` did not accept
    /// them. Rule sets with the same log are counted together.
    pub fn lost_audit_records(&self) -> u64 {
        self.current.load().audit_log.as_ref().map_or(0, |log| log.lost())
    }

    /// Sends an event to the script host that `SecPluginHost` names, which runs the extensions that `SecExtension` names for its type: a JSON object with
    /// the member `type`.
    ///
    /// # Errors
    /// If it is not such an object, or the host does not take it.
    pub fn event(&self, event: &serde_json::Value) -> Result<(), EventError> {
        if event.get("type").is_none_or(|kind| !kind.is_string()) {
            return Err(EventError("an event is a JSON object with the member `type`, which is a text".to_owned()));
        }
        let shared = self.current.load();
        let no_host = || EventError("no extension can run, because there is no SecExtension with a SecPluginHost".to_owned());
        shared.exchange_log.as_ref().ok_or_else(no_host)?.send_event(&event.to_string()).map_err(EventError)
    }

    /// Returns the number of exchanges that the script host did not hear of so far, because it was not there or too slow.
    pub fn dropped_exchange_records(&self) -> u64 {
        self.current.load().exchange_log.as_ref().map_or(0, |log| log.dropped())
    }

    /// Makes a transaction for the calls of ModSecurity v3's interface, with a new id.
    #[doc(hidden)]
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.current.load_full())
    }

    /// Makes a transaction for the calls of ModSecurity v3's interface, with an id of the host.
    #[doc(hidden)]
    pub fn transaction_with_id(&self, id: &str) -> Transaction {
        Transaction::with_id(self.current.load_full(), id)
    }

    /// Returns the same rules with separate memory, and with the logs that they name opened again.
    ///
    /// The C interface calls it when a host reads its configuration again.
    ///
    /// # Errors
    /// If the debug log cannot be opened.
    #[doc(hidden)]
    pub fn reopened(&self) -> Result<Self, LoadError> {
        let shared = self.current.load();
        let settings = &shared.graph.settings;
        let given = shared.given.clone();
        let debug_log = if given.debug_log { shared.services.debug_log.clone() } else { logs::debug_log(settings, &shared.report)? };
        let audit_log = if given.audit_log { shared.audit_log.clone() } else { logs::audit_log(settings) };
        let services = Services { debug_log, notices: Arc::default(), ..shared.services.clone() };
        let (graph, report, observer) = (Arc::clone(&shared.graph), Arc::clone(&shared.report), shared.observer.clone());
        let (lineage, exchange_log) = (shared.lineage.clone(), shared.exchange_log.clone());
        let times_phases = shared.times_phases;
        Ok(Self::of(Shared { graph, report, lineage, services, audit_log, observer, times_phases, exchange_log, given }))
    }

    /// Returns the store of persistent collections, bans and rates.
    #[doc(hidden)]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.current.load().services.store)
    }

    /// Returns everything that transactions share.
    fn shared(&self) -> Arc<Shared> {
        self.current.load_full()
    }

    /// Returns the rules that were compiled in full, for rule sets that extend them.
    #[doc(hidden)]
    pub fn foundation(&self) -> Arc<Foundation> {
        Arc::clone(&self.current.load().lineage.foundation)
    }

    /// Returns `true` if these rules extend their foundation.
    #[doc(hidden)]
    pub fn is_extension(&self) -> bool {
        self.current.load().is_extension()
    }

    /// Returns `true` if the rules may inspect bodies of responses (`SecResponseBodyAccess`). A host that proxies then asks for bodies without a content
    /// encoding: one that is compressed cannot be inspected.
    pub fn inspects_responses(&self) -> bool {
        self.current.load().graph.settings.response_body_access
    }

    /// Returns the compiled rules.
    #[doc(hidden)]
    pub fn graph(&self) -> Arc<RuleGraph> {
        Arc::clone(&self.current.load().graph)
    }
}

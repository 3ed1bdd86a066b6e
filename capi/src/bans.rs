//! Bans, which libmodsecurity does not have: set and ended by the host, for all processes that share the store of a rule set.

use super::convert::{guarded, string};
use super::rules_set::RulesSet;
use secrule::{RequestKey, SiteId};
use std::ffi::{c_char, c_int, c_ulong};
use std::net::IpAddr;
use std::time::Duration;

/// The answers of both functions.
const DONE: c_int = 0;
const NONE: c_int = 1;
const FAILED: c_int = -1;

/// Bans requests that have all of the given parts for some seconds; a ban with the same parts gets the new end. Returns 0, or -1 if the store does not
/// answer within `SecStoreCallLimit`, or an argument is wrong: no rule set, none of address, host and path, one of them empty, an address that is not one,
/// a host with a port, no time. `site` is 0 for all sites.
///
/// # Safety
///
/// `rules` is NULL or from [`msc_create_rules_set`](super::rules_set::msc_create_rules_set); the texts are NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_ban(
    rules: *mut RulesSet,
    site: c_ulong,
    ip: *const c_char,
    host: *const c_char,
    path: *const c_char,
    seconds: c_ulong,
) -> c_int {
    guarded(FAILED, || {
        // SAFETY: as the caller promises.
        let (rules, key) = unsafe { (rules.as_ref(), key(site, ip, host, path)) };
        let (Some(waf), Some(key)) = (rules.and_then(RulesSet::waf), key) else { return FAILED };
        // `unsigned long` has 32 bits on some systems.
        #[allow(clippy::useless_conversion, reason = "it has 64 bits here")]
        let time = Duration::from_secs(u64::from(seconds));
        if time.is_zero() || waf.ban_requests(&key, time).is_err() { FAILED } else { DONE }
    })
}

/// Ends the ban that has exactly the given parts. Returns 0, 1 if there was none, or -1 as [`msc_ban`].
///
/// # Safety
///
/// As for [`msc_ban`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_unban(
    rules: *mut RulesSet,
    site: c_ulong,
    ip: *const c_char,
    host: *const c_char,
    path: *const c_char,
) -> c_int {
    guarded(FAILED, || {
        // SAFETY: as the caller promises.
        let (rules, key) = unsafe { (rules.as_ref(), key(site, ip, host, path)) };
        let (Some(waf), Some(key)) = (rules.and_then(RulesSet::waf), key) else { return FAILED };
        waf.unban_requests(&key).map_or(FAILED, |was_banned| if was_banned { DONE } else { NONE })
    })
}

/// Returns the requests that the parts mean; `None` if a part is wrong, or there is none besides the site. An empty part is wrong, because it would mean
/// more requests than the host thinks of.
///
/// # Safety
///
/// The texts are NULL or NUL-terminated.
unsafe fn key(site: c_ulong, ip: *const c_char, host: *const c_char, path: *const c_char) -> Option<RequestKey> {
    // `unsigned long` has 32 bits on some systems.
    #[allow(clippy::useless_conversion, reason = "it has 64 bits here")]
    let site = Some(SiteId(u64::from(site))).filter(|site| *site != SiteId(0));
    let mut key = RequestKey::default();
    if !ip.is_null() {
        // SAFETY: as the caller promises.
        let address = std::str::from_utf8(unsafe { string(ip) }).ok()?.parse::<IpAddr>().ok()?;
        key = RequestKey::of_address(None, address);
    }
    if !host.is_null() {
        // SAFETY: as the caller promises.
        let name = String::from_utf8_lossy(unsafe { string(host) });
        let name = name.strip_suffix('.').unwrap_or(&name);
        let has_port = name.contains("]:") || (!name.starts_with('[') && name.contains(':'));
        if name.is_empty() || has_port {
            return None;
        }
        key = key.with_host(name);
    }
    if !path.is_null() {
        // SAFETY: as the caller promises.
        let path = unsafe { string(path) };
        if path.is_empty() {
            return None;
        }
        key = key.with_url_path(path);
    }
    if key == RequestKey::default() {
        return None;
    }
    key.site = site;
    Some(key)
}

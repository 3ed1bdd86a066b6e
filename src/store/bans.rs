//! Bans: addresses that are blocked until a time.

use crate::graph::SiteId;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Maximum number of bans. Beyond it the one that ends first is dropped.
const MAX_BANS: usize = 100_000;

/// Bans in the memory of the process.
#[derive(Debug)]
pub struct Bans {
    max: usize,
    kept: Mutex<Kept>,
}

/// End of each ban by site and address, and bans by their end.
#[derive(Debug, Default)]
struct Kept {
    until: HashMap<(SiteId, IpAddr), SystemTime>,
    by_end: BTreeSet<(SystemTime, SiteId, IpAddr)>,
}

impl Default for Bans {
    fn default() -> Self {
        Self::with_limit(MAX_BANS)
    }
}

impl Bans {
    fn with_limit(max: usize) -> Self {
        Self { max, kept: Mutex::default() }
    }

    /// Bans an address from a site until a time.
    pub fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime) {
        let mut kept = self.lock();
        kept.remove(site, address);
        if kept.until.len() >= self.max
            && let Some((_, site, address)) = kept.by_end.first().copied()
        {
            kept.remove(site, address);
        }
        kept.until.insert((site, address), until);
        kept.by_end.insert((until, site, address));
    }

    /// Ends a ban. Returns `true` if there was one at this time.
    pub fn unban(&self, site: SiteId, address: IpAddr, now: SystemTime) -> bool {
        self.lock().remove(site, address).is_some_and(|until| until > now)
    }

    /// Returns `true` if an address is banned from exactly this site at this time.
    pub fn is_banned(&self, site: SiteId, address: IpAddr, now: SystemTime) -> bool {
        let mut kept = self.lock();
        match kept.until.get(&(site, address)) {
            Some(until) if *until > now => true,
            Some(_) => {
                kept.remove(site, address);
                false
            }
            None => false,
        }
    }

    /// If a thread panicked while it held the lock, one of the two tables may lack one ban.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Removes a ban, and returns its end.
    fn remove(&mut self, site: SiteId, address: IpAddr) -> Option<SystemTime> {
        let until = self.until.remove(&(site, address))?;
        self.by_end.remove(&(until, site, address));
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn bans_end_by_themselves_and_by_hand() {
        let (bans, now) = (Bans::default(), SystemTime::UNIX_EPOCH);
        let end = now + Duration::from_secs(60);
        bans.ban(SiteId(1), ADDRESS, end);
        assert!(bans.is_banned(SiteId(1), ADDRESS, end - Duration::from_nanos(1)));
        assert!(!bans.is_banned(SiteId(0), ADDRESS, now) && !bans.is_banned(SiteId(2), ADDRESS, now));
        assert!(!bans.is_banned(SiteId(1), ADDRESS, end));
        assert!(!bans.unban(SiteId(1), ADDRESS, end));
        bans.ban(SiteId(1), ADDRESS, end);
        assert!(bans.unban(SiteId(1), ADDRESS, now));
        assert!(!bans.is_banned(SiteId(1), ADDRESS, now));
    }

    #[test]
    fn beyond_their_number_the_ban_that_ends_first_goes() {
        let (bans, now) = (Bans::with_limit(3), SystemTime::UNIX_EPOCH);
        let address = |number: u8| IpAddr::from([192, 0, 2, number]);
        for number in [2, 1, 3, 4] {
            bans.ban(SiteId(0), address(number), now + Duration::from_secs(number.into()));
        }
        assert_eq!([1, 2, 3, 4].map(|number| bans.is_banned(SiteId(0), address(number), now)), [false, true, true, true]);
        let kept = bans.lock();
        assert_eq!((kept.until.len(), kept.by_end.len()), (3, 3));
    }
}

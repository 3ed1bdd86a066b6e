//! Bans: addresses that are blocked until a time.

use crate::graph::SiteId;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Maximum number of bans. Beyond it the one that ends first is dropped.
const MAX_BANS: usize = 100_000;

/// Bans in the memory of the process.
#[derive(Debug, Default)]
pub struct Bans {
    kept: Mutex<Kept>,
}

/// End of each ban by site and address, and bans by their end.
#[derive(Debug, Default)]
struct Kept {
    until: HashMap<(SiteId, IpAddr), SystemTime>,
    by_end: BTreeSet<(SystemTime, SiteId, IpAddr)>,
}

impl Bans {
    /// Bans an address from a site until a time.
    pub fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime) {
        let mut kept = self.lock();
        kept.remove(site, address);
        if kept.until.len() >= MAX_BANS
            && let Some((_, site, address)) = kept.by_end.first().copied()
        {
            kept.remove(site, address);
        }
        kept.until.insert((site, address), until);
        kept.by_end.insert((until, site, address));
    }

    /// Ends a ban. Returns `true` if there was one.
    pub fn unban(&self, site: SiteId, address: IpAddr) -> bool {
        self.lock().remove(site, address).is_some_and(|until| until > SystemTime::now())
    }

    /// Returns `true` if an address is banned from exactly this site.
    pub fn is_banned(&self, site: SiteId, address: IpAddr) -> bool {
        let mut kept = self.lock();
        match kept.until.get(&(site, address)) {
            Some(until) if *until > SystemTime::now() => true,
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

    #[test]
    fn bans_end_by_themselves_and_by_hand() {
        let bans = Bans::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        bans.ban(SiteId(1), address, SystemTime::now() + Duration::from_millis(50));
        assert!(bans.is_banned(SiteId(1), address));
        assert!(!bans.is_banned(SiteId(0), address) && !bans.is_banned(SiteId(2), address));
        std::thread::sleep(Duration::from_millis(60));
        assert!(!bans.is_banned(SiteId(1), address));
        assert!(!bans.unban(SiteId(1), address));
        bans.ban(SiteId(1), address, SystemTime::now() + Duration::from_secs(60));
        assert!(bans.unban(SiteId(1), address));
        assert!(!bans.is_banned(SiteId(1), address));
    }

    #[test]
    fn the_number_of_bans_has_an_end() {
        let bans = Bans::default();
        let now = SystemTime::now();
        for number in 0..=MAX_BANS {
            let address = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
            bans.ban(SiteId(0), address, now + Duration::from_secs(3600 + number as u64));
        }
        let kept = bans.lock();
        assert_eq!((kept.until.len(), kept.by_end.len()), (MAX_BANS, MAX_BANS));
        drop(kept);
        assert!(!bans.is_banned(SiteId(0), IpAddr::from([0, 0, 0, 0])));
    }
}

//! Addresses that are turned away until a moment.

use crate::graph::SiteId;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How many bans are kept. When one more comes, the one that ends first goes.
const MAX_BANS: usize = 100_000;

/// Bans in the memory of the process.
#[derive(Debug, Default)]
pub struct Bans {
    kept: Mutex<Kept>,
}

/// Bans by whom they turn away from where, and by when they end.
#[derive(Debug, Default)]
struct Kept {
    until: HashMap<(SiteId, IpAddr), SystemTime>,
    by_end: BTreeSet<(SystemTime, SiteId, IpAddr)>,
}

impl Bans {
    /// Turns an address away from a site until a moment.
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

    /// Ends a ban; whether there was one.
    pub fn unban(&self, site: SiteId, address: IpAddr) -> bool {
        self.lock().remove(site, address).is_some_and(|until| until > SystemTime::now())
    }

    /// Returns `true` if an address is turned away from exactly this site.
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

    /// A thread that panicked while it held the lock left at most a ban behind that one of the two tables lacks.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Takes a ban away, and says when it ends.
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

//! Addresses that are turned away until a moment.

use crate::graph::SiteId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How many bans are kept. When there are more, the quarter that ends first goes.
const MOST_BANS: usize = 100_000;

/// Bans in the memory of the process.
#[derive(Debug, Default)]
pub struct Bans {
    until: Mutex<HashMap<(SiteId, IpAddr), SystemTime>>,
}

impl Bans {
    /// Turns an address away from a site until a moment.
    pub fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime) {
        let mut bans = self.lock();
        if bans.len() >= MOST_BANS {
            let now = SystemTime::now();
            bans.retain(|_, until| *until > now);
        }
        if bans.len() >= MOST_BANS {
            let mut ends: Vec<SystemTime> = bans.values().copied().collect();
            ends.sort_unstable();
            if let Some(kept) = ends.get(ends.len() / 4).copied() {
                bans.retain(|_, until| *until > kept);
            }
        }
        bans.insert((site, address), until);
    }

    /// Ends a ban; whether there was one.
    pub fn unban(&self, site: SiteId, address: IpAddr) -> bool {
        self.lock().remove(&(site, address)).is_some_and(|until| until > SystemTime::now())
    }

    /// Whether an address is turned away from exactly this site.
    pub fn is_banned(&self, site: SiteId, address: IpAddr) -> bool {
        let mut bans = self.lock();
        match bans.get(&(site, address)) {
            Some(until) if *until > SystemTime::now() => true,
            Some(_) => {
                bans.remove(&(site, address));
                false
            }
            None => false,
        }
    }

    /// Every change is one call on the map: a thread that panicked left it whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<(SiteId, IpAddr), SystemTime>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
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
        for number in 0..=MOST_BANS {
            let address = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
            bans.ban(SiteId(0), address, now + Duration::from_secs(3600 + number as u64));
        }
        assert!(bans.lock().len() <= MOST_BANS);
        assert!(!bans.is_banned(SiteId(0), IpAddr::from([0, 0, 0, 0])));
    }
}

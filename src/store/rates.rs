//! Request rates of addresses: the generic cell rate algorithm, for each site with a limit.

use crate::graph::{RateLimit, SiteId};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Maximum number of addresses that are counted for one limit. Beyond it, those with few requests are dropped.
const MAX_ADDRESSES: usize = 100_000;

/// Maximum length of a name that is compared, in bytes.
const LONGEST_NAME: usize = 256;

/// The rates of a rule set, which live as long as it does.
pub struct RateLimits<C: Clock = DefaultClock> {
    counted: Vec<RateLimit>,
    limits: Vec<(SiteId, Limiter<C>)>,
}

type Limiter<C> = RateLimiter<(SiteId, Requester), DefaultKeyedStateStore<(SiteId, Requester)>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A client that is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Requester {
    /// An address; for IPv6 its /64 network, because one client usually has all of it.
    Network(IpAddr),
    /// Another name that a script uses for a client, such as `unknown`.
    Name(Box<[u8]>),
}

/// Result of counting a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rate {
    /// It is within the limit, or there is no limit.
    Within,
    /// It exceeds the limit.
    Beyond,
    /// There are more addresses than can be counted.
    Unknown,
}

impl RateLimits {
    /// Makes counters for these limits.
    pub fn new(limits: &[RateLimit]) -> Self {
        Self::with_clock(limits, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimits<C> {
    fn with_clock(limits: &[RateLimit], clock: &C) -> Self {
        let limiter = |limit: &RateLimit| {
            let interval = limit.period / limit.requests.get();
            let quota = Quota::with_period(interval)?.allow_burst(limit.burst);
            Some((limit.site, RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone())))
        };
        Self { counted: limits.to_vec(), limits: limits.iter().filter_map(limiter).collect() }
    }

    /// Returns `true` if these are the limits that are counted.
    pub fn counts(&self, limits: &[RateLimit]) -> bool {
        self.counted == limits
    }

    /// Counts a request to a site, against the site's own limit, or that of all sites if it has none. Each site is counted separately. The requester
    /// is an address as text, or another name; IPv6 addresses are counted by their /64 network.
    pub fn count(&self, site: SiteId, requester: &[u8]) -> Rate {
        let of = |site: SiteId| self.limits.iter().rev().find(|(known, _)| *known == site);
        let Some((_, limiter)) = of(site).or_else(|| of(SiteId(0))) else { return Rate::Within };
        if limiter.len() >= MAX_ADDRESSES {
            limiter.retain_recent();
            if limiter.len() >= MAX_ADDRESSES {
                return Rate::Unknown;
            }
        }
        match limiter.check_key(&(site, Requester::new(requester))) {
            Ok(()) => Rate::Within,
            Err(_) => Rate::Beyond,
        }
    }
}

impl Requester {
    fn new(requester: &[u8]) -> Self {
        let address = std::str::from_utf8(requester).ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => Self::Network(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
            Some(address) => Self::Network(address),
            None => Self::Name(requester.get(..LONGEST_NAME).unwrap_or(requester).into()),
        }
    }
}

impl<C: Clock> fmt::Debug for RateLimits<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.limits.iter().map(|(site, _)| site)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn limit(site: u64, requests: u32, milliseconds: u64, burst: u32) -> RateLimit {
        let whole = |number| NonZeroU32::new(number).unwrap();
        RateLimit { site: SiteId(site), requests: whole(requests), period: Duration::from_millis(milliseconds), burst: whole(burst) }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let clock = FakeRelativeClock::default();
        let rates = RateLimits::with_clock(&[limit(0, 2, 100, 3)], &clock);
        let beyond = |count: u32| (0..count).filter(|_| rates.count(SiteId(0), b"192.0.2.1") == Rate::Beyond).count();
        assert_eq!(beyond(5), 2);
        clock.advance(Duration::from_millis(49));
        assert_eq!(beyond(1), 1);
        clock.advance(Duration::from_millis(1));
        assert_eq!(beyond(2), 1);
        assert_eq!(rates.count(SiteId(0), b"192.0.2.2"), Rate::Within);
        assert_eq!(rates.count(SiteId(7), b"192.0.2.1"), Rate::Within);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let rates = RateLimits::with_clock(&[limit(3, 1, 10_000, 1)], &FakeRelativeClock::default());
        assert_eq!(rates.count(SiteId(3), b"2001:db8::1"), Rate::Within);
        assert_eq!(rates.count(SiteId(3), b"2001:db8::2"), Rate::Beyond);
        assert_eq!(rates.count(SiteId(3), b"2001:db8:0:1::2"), Rate::Within);
        assert_eq!(rates.count(SiteId(4), b"2001:db8::1"), Rate::Within);
    }

    #[test]
    fn an_address_has_one_count_however_it_is_written_and_names_have_their_own() {
        let rates = RateLimits::with_clock(&[limit(0, 1, 10_000, 1)], &FakeRelativeClock::default());
        let count = |requester: &[u8]| rates.count(SiteId(0), requester);
        assert_eq!(
            (count(b"192.0.2.1"), count(b"::ffff:192.0.2.1"), count(b"::ffff:192.0.2.2")),
            (Rate::Within, Rate::Beyond, Rate::Within)
        );
        assert_eq!((count(b"unknown"), count(b"unknown"), count(b"unix:")), (Rate::Within, Rate::Beyond, Rate::Within));
    }
}

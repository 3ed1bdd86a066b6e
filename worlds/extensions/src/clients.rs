//! Remembers which clients had an event within a second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Maximum number of clients of a generation: all take a few megabytes.
const MAX_CLIENTS: usize = 50_000;

/// The clients of the last second, in two generations, of which the older one is forgotten as a whole.
#[derive(Debug, Default)]
pub struct Clients {
    newer: HashMap<Box<str>, Instant>,
    older: HashMap<Box<str>, Instant>,
    began: Option<Instant>,
}

impl Clients {
    /// Returns `true` if the client had no event within a second before `now`. Beyond 50,000 clients in a second, further ones have none.
    pub fn is_first(&mut self, client: &str, now: Instant) -> bool {
        let age = |time: &Instant| now.saturating_duration_since(*time);
        if self.began.as_ref().is_none_or(|began| age(began) >= SECOND) {
            self.older = std::mem::take(&mut self.newer);
            self.began = Some(now);
        }
        let is_recent = |time: &Instant| age(time) < SECOND;
        if [&self.newer, &self.older].iter().any(|known| known.get(client).is_some_and(is_recent)) || self.newer.len() >= MAX_CLIENTS {
            return false;
        }
        self.newer.insert(client.into(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_event_in_a_second() {
        let (mut clients, start) = (Clients::default(), Instant::now());
        let later = |millis| start + Duration::from_millis(millis);
        let calls = [("a", 0, true), ("a", 999, false), ("b", 999, true), ("a", 1_000, true), ("b", 1_500, false), ("b", 2_000, true)];
        for (client, millis, expected) in calls {
            assert_eq!(clients.is_first(client, later(millis)), expected, "{client} {millis}");
        }
    }

    #[test]
    fn the_number_of_clients_is_bounded() {
        let (mut clients, start) = (Clients::default(), Instant::now());
        assert!((0..MAX_CLIENTS).all(|client| clients.is_first(&client.to_string(), start)));
        assert!(!clients.is_first("more", start));
        assert!(clients.is_first("more", start + SECOND));
    }
}

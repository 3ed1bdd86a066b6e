//! What decision scripts ask about: lists of addresses, rates, crawlers.

use crate::operator::AddressSet;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A site that the host tells apart from others; 0 where it tells none apart, and in settings for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u64);

/// What `SecIpList`, `SecRateLimit`, `SecCrawlerFile` and `SecTrustedSource` add up to.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// `SecIpList`
    pub lists: Vec<AddressList>,
    /// `SecRateLimit`
    pub rates: Vec<RateLimit>,
    /// `SecCrawlerFile`: besides those that are known anyway.
    pub crawlers: Vec<Crawler>,
    /// `SecTrustedSource`: peers whose headers name the client.
    pub trusted: Vec<Arc<AddressSet>>,
}

/// A list of addresses and networks.
#[derive(Clone, Debug)]
pub struct AddressList {
    /// The site it is for.
    pub site: SiteId,
    /// Whether those on it are welcome, not turned away.
    pub welcome: bool,
    /// Who is on it.
    pub addresses: Arc<AddressSet>,
}

/// How often an address may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The site it is for.
    pub site: SiteId,
    /// How many requests.
    pub requests: NonZeroU32,
    /// In what time.
    pub period: Duration,
    /// How many at once.
    pub burst: NonZeroU32,
}

/// A crawler that can be told from those who only say that they are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// What its user agent holds, in lower case.
    pub token: Box<str>,
    /// Domains that its addresses belong to, in lower case.
    pub domains: Vec<Box<str>>,
}

/// Crawlers that are known without any setting.
static KNOWN: LazyLock<Vec<Crawler>> = LazyLock::new(|| Crawler::parse(include_str!("../../crs/crawlers.data")).unwrap_or_default());

impl Decisions {
    /// Adds what a later load says.
    pub fn append(&mut self, mut later: Decisions) {
        self.lists.append(&mut later.lists);
        self.rates.append(&mut later.rates);
        self.crawlers.append(&mut later.crawlers);
        self.trusted.append(&mut later.trusted);
    }

    /// The crawler that a user agent names; those of the settings come before those that are known anyway.
    pub fn crawler(&self, user_agent: &[u8]) -> Option<&Crawler> {
        let agent = String::from_utf8_lossy(user_agent).to_ascii_lowercase();
        self.crawlers.iter().chain(KNOWN.iter()).find(|crawler| agent.contains(&*crawler.token))
    }
}

impl Crawler {
    /// Reads a list: on each line a part of a user agent and the domains it goes with, separated by blanks; `_` in the part stands for a blank,
    /// `#` begins a comment. Gives the number of the first line that is none of that, from 1.
    pub fn parse(text: &str) -> Result<Vec<Self>, usize> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim()));
        let crawlers = lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
            let mut words = line.split_ascii_whitespace().map(str::to_ascii_lowercase);
            let token = words.next().unwrap_or_default().replace('_', " ").into();
            let domains: Vec<Box<str>> = words.map(Box::from).collect();
            let are_domains = domains
                .iter()
                .all(|domain| domain.contains('.') && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
            if domains.is_empty() || !are_domains { Err(number) } else { Ok(Self { token, domains }) }
        });
        crawlers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_crawlers_can_be_read_and_settings_come_first() {
        assert!(KNOWN.len() > 5);
        let agent = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        let mut decisions = Decisions::default();
        assert!(decisions.crawler(agent).unwrap().domains.iter().any(|domain| **domain == *"googlebot.com"));
        decisions.crawlers = Crawler::parse("googlebot example.org # ours\n\nOur_Bot example.com").unwrap();
        assert_eq!(*decisions.crawler(agent).unwrap().domains, [Box::from("example.org")]);
        assert!(decisions.crawler(b"our bot/1").is_some());
        assert!(decisions.crawler(b"curl/8").is_none());
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        assert_eq!(Crawler::parse("a example.com\nlonely"), Err(2));
        assert_eq!(Crawler::parse("a exa mple"), Err(1));
    }
}

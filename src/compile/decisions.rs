//! Directives about decision scripts and what they ask.

use super::directives::Builder;
use super::draft::RuleActions;
use super::files::read_file;
use super::scripts::{SHOULD_BLOCK, read_script};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{AddressList, Crawler, Disruptive, ForwardedClient, OnFailure, Phase, RateLimit, Site, SiteId, Test};
use crate::operator::AddressSet;
use crate::seclang::{self, Argument};
use crate::vocabulary::Directive;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// The port of name servers.
const DNS: u16 = 53;

impl Builder<'_> {
    /// `SecDecisionScript FILE [phase:1|2]`
    pub fn decision_script(&mut self, directive: &seclang::Directive, arguments: &[Argument]) {
        if self.open_chain.is_some() {
            let message = "a decision script cannot stand within a chain";
            return self.context.report(
                Diagnostic::new(Code::BadDirectiveValue, directive.span, message).hint("move it in front of the chain, or behind it"),
            );
        }
        let [file, behind @ ..] = arguments else { return };
        let phase = match behind {
            [] => Phase::RequestHeaders,
            [phase] if phase.text.eq_ignore_ascii_case("phase:1") => Phase::RequestHeaders,
            [phase] if phase.text.eq_ignore_ascii_case("phase:2") => Phase::RequestBody,
            [other, ..] => return self.bad_decision(other, "write phase:1 or phase:2"),
        };
        let Some(script) = read_script(&mut self.context, &file.text, SHOULD_BLOCK, file.span) else { return };
        let actions = RuleActions { phase: Some(phase), disruptive: Some(Disruptive::Deny), ..RuleActions::default() };
        let draft = self.draft(Test::Decision(script), actions, directive.span);
        self.add_rule(draft, None);
    }

    /// The other directives about decisions.
    pub fn decision_setting(&mut self, directive: Directive, arguments: &[Argument]) {
        let Some(first) = arguments.first() else { return };
        match directive {
            Directive::SecIpList => self.address_list(first, arguments.get(1..).unwrap_or_default()),
            Directive::SecRateLimit => self.rate_limit(first, arguments.get(1..).unwrap_or_default()),
            Directive::SecTrustedSource => self.trusted_source(arguments),
            Directive::SecSite => self.site_of_hosts(first, arguments.get(1..).unwrap_or_default()),
            Directive::SecSiteId => match first.text.parse() {
                Ok(site) => self.context.settings.load.site = Some(SiteId(site)),
                Err(_) => self.bad_decision(first, "write the number of a site"),
            },
            Directive::SecCrawlerFile => {
                let Some((_, bytes)) = read_file(&mut self.context, &first.text, first.span) else { return };
                match Crawler::parse(&String::from_utf8_lossy(&bytes)) {
                    Ok(mut crawlers) => self.context.settings.load.decisions.crawlers.append(&mut crawlers),
                    Err(line) => {
                        let message = format!("`{}` cannot be used: line {line} names no crawler", first.text);
                        let hint = "write a part of the user agent and domains: examplebot example.com example.net";
                        self.context.report(Diagnostic::new(Code::BadDirectiveFile, first.span, message).hint(hint));
                    }
                }
            }
            Directive::SecDecisionFailure => {
                let closes = first.text.eq_ignore_ascii_case("closed");
                self.context.settings.load.decision_failure = Some(if closes { OnFailure::Closed } else { OnFailure::Open });
            }
            Directive::SecDecisionStatus => match first.text.parse() {
                Ok(status @ 100..=999) => self.context.settings.load.decision_status = Some(status),
                _ => self.bad_decision(first, "write a status such as 403"),
            },
            Directive::SecResolver => match server(&first.text) {
                Some(server) => self.context.settings.load.resolver = Some(server),
                None => self.bad_decision(first, "write the address of a name server, such as 192.0.2.53 or [2001:db8::53]:5353"),
            },
            _ => {}
        }
    }

    /// `SecTrustedSource ADDRESS|NETWORK|FILE|unix:… [client:first|last-untrusted|N]`
    fn trusted_source(&mut self, arguments: &[Argument]) {
        let mut addresses = Vec::new();
        for argument in arguments {
            if argument.text == "unix:" {
                self.context.settings.load.decisions.trusted.unix_sockets = true;
            } else if let Some(choice) = argument.text.strip_prefix("client:") {
                let client = match choice {
                    "first" => Some(ForwardedClient::First),
                    "last-untrusted" => Some(ForwardedClient::LastUntrusted),
                    number => number.parse().ok().map(ForwardedClient::FromEnd),
                };
                if client.is_none() {
                    return self
                        .bad_decision(argument, "write client:first, client:last-untrusted or client:N, with 1 for the last address");
                }
                self.context.settings.load.decisions.trusted.client = client;
            } else {
                addresses.push(argument.clone());
            }
        }
        if let Some(addresses) = self.addresses(&addresses).filter(|_| !addresses.is_empty()) {
            self.context.settings.load.decisions.trusted.addresses.push(addresses);
        }
    }

    /// `SecSite N HOST…`
    fn site_of_hosts(&mut self, number: &Argument, hosts: &[Argument]) {
        let Some(site) = number.text.parse().ok().map(SiteId) else {
            return self.bad_decision(number, "write the number of a site, then its hosts: SecSite 7 shop.example *.shop.example");
        };
        if hosts.is_empty() {
            return self.bad_decision(number, "write the hosts of the site behind its number: SecSite 7 shop.example *.shop.example");
        }
        for host in hosts {
            match Site::new(site, &host.text) {
                Some(site) => self.context.settings.load.decisions.sites.push(site),
                None => return self.bad_decision(host, "write a host without its port, such as shop.example or *.shop.example"),
            }
        }
    }

    fn address_list(&mut self, kind: &Argument, entries: &[Argument]) {
        let welcome = match kind.text.to_ascii_lowercase().as_str() {
            "blacklist" => false,
            "whitelist" => true,
            _ => return self.bad_decision(kind, "write blacklist or whitelist first"),
        };
        let (site, entries) = match entries.split_last() {
            Some((last, before)) if last.text.starts_with("site:") => match site(&last.text) {
                Some(site) => (site, before),
                None => return self.bad_decision(last, "write site:N with the number of a site"),
            },
            _ => (SiteId(0), entries),
        };
        if entries.is_empty() {
            return self.bad_decision(kind, "write addresses, networks or a file of them behind it");
        }
        if let Some(addresses) = self.addresses(entries) {
            self.context.settings.load.decisions.lists.push(AddressList { site, welcome, addresses });
        }
    }

    /// Addresses, networks, and files of them; what is none is reported.
    fn addresses(&mut self, entries: &[Argument]) -> Option<Arc<AddressSet>> {
        let mut texts = Vec::new();
        for entry in entries {
            match AddressSet::from_argument(entry.text.as_bytes()) {
                Ok(_) => texts.push(entry.text.clone().into_bytes()),
                Err(_) => {
                    let (_, bytes) = read_file(&mut self.context, &entry.text, entry.span)?;
                    if let Err(error) = AddressSet::from_files(std::slice::from_ref(&bytes)) {
                        let message = format!("`{}` cannot be used: {error}", entry.text);
                        let hint = "write an address or a network on each line of the file, such as 10.0.0.0/8";
                        self.context.report(Diagnostic::new(Code::BadDirectiveFile, entry.span, message).hint(hint));
                        return None;
                    }
                    texts.push(bytes);
                }
            }
        }
        AddressSet::from_files(&texts).ok().map(Arc::new)
    }

    fn rate_limit(&mut self, rate: &Argument, behind: &[Argument]) {
        let form = "write requests/seconds, such as 100/60";
        let Some((requests, seconds)) = rate.text.split_once('/').and_then(|(requests, seconds)| {
            let seconds: NonZeroU32 = seconds.parse().ok()?;
            Some((requests.parse::<NonZeroU32>().ok()?, Duration::from_secs(u64::from(seconds.get()))))
        }) else {
            return self.bad_decision(rate, form);
        };
        let mut limit = RateLimit { site: SiteId(0), requests, period: seconds, burst: requests };
        for argument in behind {
            match (argument.text.strip_prefix("burst:").and_then(|burst| burst.parse().ok()), site(&argument.text)) {
                (Some(burst), _) => limit.burst = burst,
                (None, Some(site)) => limit.site = site,
                (None, None) => return self.bad_decision(argument, "write burst:N or site:N"),
            }
        }
        if limit.period / limit.requests.get() == Duration::ZERO {
            return self.bad_decision(rate, form);
        }
        self.context.settings.load.decisions.rates.push(limit);
    }

    fn bad_decision(&mut self, argument: &Argument, hint: &str) {
        let message = format!("`{}` makes no sense here", argument.text);
        self.context.report(Diagnostic::new(Code::BadDirectiveValue, argument.span, message).hint(hint));
    }
}

/// `site:N`
fn site(text: &str) -> Option<SiteId> {
    text.strip_prefix("site:")?.parse().ok().map(SiteId)
}

fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DNS)))
}

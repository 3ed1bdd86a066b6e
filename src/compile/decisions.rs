//! Directives for decision scripts and their data.

use super::context::Context;
use super::files::read_file;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{AddressList, Crawler, ForwardedClient, RateLimit, Site, SiteId};
use crate::operator::AddressSet;
use crate::seclang::Argument;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// The port of name servers.
const DNS: u16 = 53;

/// Remedy for a wrong name of a list.
const LIST_NAME: &str = "write list: and a name of 1 to 64 letters, digits and the signs `_`, `-` and `.`, such as list:blocked";

/// `SecCrawlerFile FILE`
pub fn crawlers(context: &mut Context<'_>, file: &Argument) -> Vec<Crawler> {
    let Some((_, bytes)) = read_file(context, &file.text, file.span) else { return Vec::new() };
    Crawler::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|line| {
        let message = format!("`{}` cannot be used: line {line} names no crawler", file.text);
        let hint = "write a part of the user agent and domains: examplebot example.com example.net";
        context.report(Diagnostic::new(Code::BadDirectiveFile, file.span, message).hint(hint));
        Vec::new()
    })
}

/// `SecTrustedSource ADDRESS|NETWORK|FILE|unix:… [client:first|last-untrusted|N]`
pub fn trusted_source(context: &mut Context<'_>, arguments: &[Argument]) {
    let mut addresses = Vec::new();
    for argument in arguments {
        if argument.text == "unix:" {
            context.settings.load.decisions.trusted.unix_sockets = true;
        } else if let Some(choice) = argument.text.strip_prefix("client:") {
            let client = match choice {
                "first" => Some(ForwardedClient::First),
                "last-untrusted" => Some(ForwardedClient::LastUntrusted),
                number => number.parse().ok().map(ForwardedClient::FromEnd),
            };
            if client.is_none() {
                return report_bad_value(
                    context,
                    argument,
                    "write client:first, client:last-untrusted or client:N, with 1 for the last address",
                );
            }
            context.settings.load.decisions.trusted.client = client;
        } else {
            addresses.push(argument.clone());
        }
    }
    if let Some(addresses) = read_addresses(context, &addresses).filter(|_| !addresses.is_empty()) {
        context.settings.load.decisions.trusted.addresses.push(addresses);
    }
}

/// `SecSite N HOST…`
pub fn sites(context: &mut Context<'_>, number: &Argument, hosts: &[Argument]) -> Vec<Site> {
    let Ok(site) = number.text.parse().map(SiteId) else {
        report_bad_value(context, number, "write the number of a site, then its hosts: SecSite 7 shop.example *.shop.example");
        return Vec::new();
    };
    if hosts.is_empty() {
        report_bad_value(context, number, "write the hosts of the site after its number: SecSite 7 shop.example *.shop.example");
    }
    let mut sites = Vec::with_capacity(hosts.len());
    for host in hosts {
        let Some(site) = Site::new(site, &host.text) else {
            report_bad_value(context, host, "write a host without its port, such as shop.example or *.shop.example");
            break;
        };
        sites.push(site);
    }
    sites
}

/// `SecIpList blacklist|whitelist ADDRESS|NETWORK|FILE|list:NAME… [site:N]`
pub fn address_list(context: &mut Context<'_>, kind: &Argument, entries: &[Argument]) -> Option<AddressList> {
    let is_allow_list = match kind.text.to_ascii_lowercase().as_str() {
        "blacklist" => false,
        "whitelist" => true,
        _ => return refuse(context, kind, "begin with blacklist or whitelist"),
    };
    let (site, entries) = match entries.split_last() {
        Some((last, before)) if last.text.starts_with("site:") => match site(&last.text) {
            Some(site) => (site, before),
            None => return refuse(context, last, "write site:N with the number of a site"),
        },
        _ => (SiteId(0), entries),
    };
    if entries.is_empty() {
        return refuse(context, kind, "write addresses, networks, a file of them or list:NAME after it");
    }
    let (mut names, mut others) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.text.strip_prefix("list:") {
            Some(name) if AddressList::is_name(name) => names.push(name.into()),
            Some(_) => return refuse(context, entry, LIST_NAME),
            None => others.push(entry.clone()),
        }
    }
    let addresses = read_addresses(context, &others)?;
    Some(AddressList { site, is_allow_list, addresses, names })
}

/// Reads addresses, networks, and files of them. Other entries are reported.
fn read_addresses(context: &mut Context<'_>, entries: &[Argument]) -> Option<Arc<AddressSet>> {
    let mut texts = Vec::new();
    for entry in entries {
        match AddressSet::from_argument(entry.text.as_bytes()) {
            Ok(_) => texts.push(entry.text.clone().into_bytes()),
            Err(_) => {
                let (_, bytes) = read_file(context, &entry.text, entry.span)?;
                if let Err(error) = AddressSet::from_files(std::slice::from_ref(&bytes)) {
                    let message = format!("`{}` cannot be used: {error}", entry.text);
                    let hint = "write an address or a network on each line of the file, such as 10.0.0.0/8";
                    context.report(Diagnostic::new(Code::BadDirectiveFile, entry.span, message).hint(hint));
                    return None;
                }
                texts.push(bytes);
            }
        }
    }
    AddressSet::from_files(&texts).ok().map(Arc::new)
}

/// `SecRateLimit REQUESTS/SECONDS [burst:N] [site:N]`
pub fn rate_limit(context: &mut Context<'_>, rate: &Argument, options: &[Argument]) -> Option<RateLimit> {
    let form = "write requests/seconds, such as 100/60";
    let Some((requests, seconds)) = rate.text.split_once('/').and_then(|(requests, seconds)| {
        let seconds: NonZeroU32 = seconds.parse().ok()?;
        Some((requests.parse::<NonZeroU32>().ok()?, Duration::from_secs(u64::from(seconds.get()))))
    }) else {
        return refuse(context, rate, form);
    };
    let mut limit = RateLimit { site: SiteId(0), requests, period: seconds, burst: requests };
    for argument in options {
        match (argument.text.strip_prefix("burst:").and_then(|burst| burst.parse().ok()), site(&argument.text)) {
            (Some(burst), _) => limit.burst = burst,
            (None, Some(site)) => limit.site = site,
            (None, None) => return refuse(context, argument, "write burst:N or site:N"),
        }
    }
    if limit.period / limit.requests.get() == Duration::ZERO {
        return refuse(context, rate, form);
    }
    Some(limit)
}

/// Reports a value that a directive about decisions does not take.
pub fn report_bad_value(context: &mut Context<'_>, argument: &Argument, hint: &str) {
    let message = format!("`{}` makes no sense here", argument.text);
    context.report(Diagnostic::new(Code::BadDirectiveValue, argument.span, message).hint(hint));
}

fn refuse<T>(context: &mut Context<'_>, argument: &Argument, hint: &str) -> Option<T> {
    report_bad_value(context, argument, hint);
    None
}

/// `site:N`
fn site(text: &str) -> Option<SiteId> {
    text.strip_prefix("site:")?.parse().ok().map(SiteId)
}

/// Reads the address of a name server, with or without port.
pub fn name_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DNS)))
}

//! Sites behind one server: each has its hosts, its upstream, its certificate and its rules; a path of a site may have rules of its own.
//!
//! [`Sites`] is a table that never changes. A server holds one, and [`SitesHandle::replace`](crate::SitesHandle::replace) gives it another one: requests that
//! run keep the site that they were given.
//!
//! The host of each request decides, not the name that its connection asked for (SNI): clients use a connection of HTTP/2 for all sites that its certificate
//! names.

use crate::ServeError;
use crate::host::{Host, HostPattern};
use crate::path::{PathPrefix, choose};
use crate::settings::{TlsFiles, Upstream};
use crate::tls::Certificate;
use http::{HeaderMap, StatusCode, Uri, Version};
use rustls::sign::CertifiedKey;
use secrule::Waf;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// Headers that tell some servers another path than that of the request (IIS with its URL Rewrite, frameworks of PHP and Python), also with `_` for `-`.
const OTHER_PATHS: [&str; 6] = ["path-info", "script-name", "x-forwarded-prefix", "x-forwarded-uri", "x-original-url", "x-rewrite-url"];

/// A site.
#[derive(Clone, Debug)]
pub struct Site {
    /// The hosts that it answers to.
    pub hosts: Vec<HostPattern>,
    /// `true` if it answers to all hosts that no site names, and to clients that name none.
    pub is_default: bool,
    /// The server behind it; `None` for the page of the demo.
    pub upstream: Option<Upstream>,
    /// Its certificate, if it has one of its own.
    pub tls: Option<TlsFiles>,
    /// Its rules.
    pub waf: Waf,
    /// Paths with rules of their own.
    pub paths: Vec<SitePath>,
}

/// A path of a site with rules of its own.
#[derive(Clone, Debug)]
pub struct SitePath {
    /// The beginning of its paths. The longest one counts.
    pub prefix: PathPrefix,
    /// Its rules.
    pub waf: Waf,
}

/// Sites, and the choice among them.
#[derive(Debug)]
pub struct Sites {
    sites: Vec<Entry>,
    /// The positions of sites by their names, and by what follows `*.`.
    names: HashMap<String, usize>,
    wildcards: HashMap<String, usize>,
    default: Option<usize>,
    /// The certificate for names without one.
    fallback: Option<Arc<CertifiedKey>>,
    warnings: Vec<String>,
    /// `true` for a server with one site, which answers to all that names no host or none that can be read.
    is_lenient: bool,
}

#[derive(Debug)]
struct Entry {
    /// Its first host, or `default`.
    name: String,
    upstream: Option<Upstream>,
    certificate: Option<Arc<CertifiedKey>>,
    waf: Waf,
    /// The longest first.
    prefixes: Vec<PathPrefix>,
    /// Their rules.
    wafs: Vec<Waf>,
}

/// Rules and upstream of a request.
#[derive(Clone, Debug)]
pub struct Route {
    pub waf: Waf,
    pub upstream: Option<Upstream>,
}

impl Sites {
    /// Makes a table, and reads the certificates. `fallback` is the certificate for names without one.
    ///
    /// # Errors
    /// If two sites have a host, or two are the default, or a site has a path twice; if a certificate cannot be used, or a site has none while another has one.
    pub fn new(sites: Vec<Site>, fallback: Option<&TlsFiles>) -> Result<Self, ServeError> {
        let fallback = fallback.map(|files| Certificate::read(files, &[])).transpose()?;
        let is_encrypted = fallback.is_some() || sites.iter().any(|site| site.tls.is_some());
        let mut table = Self {
            sites: Vec::with_capacity(sites.len()),
            names: HashMap::new(),
            wildcards: HashMap::new(),
            default: None,
            warnings: fallback.iter().flat_map(|certificate| certificate.warnings.clone()).collect(),
            fallback: fallback.map(|certificate| certificate.key),
            is_lenient: false,
        };
        for (number, site) in sites.into_iter().enumerate() {
            let wrong = |reason: String| ServeError::Site { number, reason };
            for host in &site.hosts {
                let by = if host.is_wildcard { &mut table.wildcards } else { &mut table.names };
                if by.insert(host.name.clone(), number).is_some() {
                    return Err(wrong(format!("{host} is named twice: name each host once, in one site")));
                }
            }
            if site.is_default && table.default.replace(number).is_some() {
                return Err(wrong("there is another default site: leave `default = true` in one of them".to_owned()));
            }
            let certificate = site.tls.as_ref().map(|files| Certificate::read(files, &site.hosts)).transpose();
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            if is_encrypted && certificate.is_none() && table.fallback.is_none() {
                let reason = "it has no certificate, and connections have TLS: write `tls = { certificate = \"…\", key = \"…\" }`, or give --tls-certificate";
                return Err(wrong(reason.to_owned()));
            }
            table.warnings.extend(certificate.iter().flat_map(|certificate| certificate.warnings.clone()));
            let name = site.hosts.first().map_or_else(|| "default".to_owned(), HostPattern::to_string);
            let mut paths = site.paths;
            paths.sort_by_key(|path| Reverse(path.prefix.len()));
            let (prefixes, wafs): (Vec<_>, Vec<_>) = paths.into_iter().map(|path| (path.prefix, path.waf)).unzip();
            let mut seen = std::collections::HashSet::new();
            if let Some(twice) = prefixes.iter().find(|prefix| !seen.insert(*prefix)) {
                return Err(wrong(format!("the path {twice} is named twice: write its rules in one place")));
            }
            let certificate = certificate.map(|certificate| certificate.key);
            table.sites.push(Entry { name, upstream: site.upstream, certificate, waf: site.waf, prefixes, wafs });
        }
        Ok(table)
    }

    /// Makes the table of a server with one site, which answers to every host.
    ///
    /// # Errors
    /// If the certificate cannot be used.
    pub fn one(waf: Waf, upstream: Option<Upstream>, tls: Option<&TlsFiles>) -> Result<Self, ServeError> {
        let site = Site { hosts: Vec::new(), is_default: true, upstream, tls: None, waf, paths: Vec::new() };
        Ok(Self { is_lenient: true, ..Self::new(vec![site], tls)? })
    }

    /// Returns what an operator should know: certificates that expire soon, or do not name their site.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the rule sets of all sites and of their paths, each with its name: the first host of the site, or `default`, and the beginning of the path.
    pub fn rule_sets(&self) -> Vec<(String, Waf)> {
        let of_site = |site: &Entry| {
            let paths = site.prefixes.iter().zip(&site.wafs).map(|(prefix, waf)| (format!("{}{prefix}", site.name), waf.clone()));
            std::iter::once((site.name.clone(), site.waf.clone())).chain(paths).collect::<Vec<_>>()
        };
        self.sites.iter().flat_map(of_site).collect()
    }

    /// Returns `true` if connections have TLS.
    pub fn is_encrypted(&self) -> bool {
        self.fallback.is_some() || self.sites.iter().any(|site| site.certificate.is_some())
    }

    /// Returns `true` if connections to an upstream have TLS.
    pub(crate) fn has_encrypted_upstream(&self) -> bool {
        self.sites.iter().filter_map(|site| site.upstream.as_ref()).any(Upstream::is_encrypted)
    }

    /// Returns the certificate for a name that a client asks for. For names that no site has, it is the fallback, or that of the default site.
    pub(crate) fn certificate(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let site = name.and_then(|name| self.find(name)).or(self.default).and_then(|number| self.sites.get(number));
        site.and_then(|site| site.certificate.clone()).or_else(|| self.fallback.clone())
    }

    /// Returns the rules and the upstream of a request.
    ///
    /// # Errors
    /// The status of a request that belongs to no site, or that names two hosts.
    pub(crate) fn route(&self, uri: &Uri, headers: &HeaderMap, version: Version) -> Result<Route, StatusCode> {
        let host = Host::of_request(uri, headers).map_err(|_| StatusCode::BAD_REQUEST)?;
        let number = match host {
            _ if self.is_lenient => self.default,
            Some(Ok(host)) => self.find(&host.name).or(self.default),
            Some(Err(_)) => return Err(StatusCode::BAD_REQUEST),
            // HTTP/1.0 may leave the host out.
            None if version > Version::HTTP_10 => return Err(StatusCode::BAD_REQUEST),
            None => self.default,
        };
        let site = number.and_then(|number| self.sites.get(number)).ok_or(StatusCode::MISDIRECTED_REQUEST)?;
        let names_other_path = || headers.keys().any(|name| OTHER_PATHS.contains(&&*name.as_str().replace('_', "-")));
        let path = if site.prefixes.is_empty() || names_other_path() { None } else { choose(site.prefixes.iter(), uri.path()) };
        let waf = path.and_then(|path| site.wafs.get(path)).unwrap_or(&site.waf);
        Ok(Route { waf: waf.clone(), upstream: site.upstream.clone() })
    }

    /// Returns the position of the site with a name: its own, or the longest `*.` that it is below.
    fn find(&self, name: &str) -> Option<usize> {
        let below = || {
            let ends = name.match_indices('.').filter_map(|(dot, _)| name.get(dot.saturating_add(1)..));
            ends.filter_map(|end| self.wildcards.get(end)).next()
        };
        self.names.get(name).or_else(below).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(hosts: &[&str], is_default: bool) -> Site {
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        Site { hosts, is_default, upstream: None, tls: None, waf: Waf::from_rules("").unwrap(), paths: Vec::new() }
    }

    fn wrong(sites: Vec<Site>) -> String {
        Sites::new(sites, None).unwrap_err().to_string()
    }

    #[test]
    fn the_most_exact_host_wins() {
        let sites = vec![site(&["shop.example"], false), site(&["*.shop.example"], false), site(&["*.eu.shop.example", "[::1]"], false)];
        let sites = Sites::new(sites, None).unwrap();
        for (name, number) in [
            ("shop.example", Some(0)),
            ("a.shop.example", Some(1)),
            ("a.b.shop.example", Some(1)),
            ("eu.shop.example", Some(1)),
            ("x.eu.shop.example", Some(2)),
            ("[::1]", Some(2)),
            ("notshop.example", None),
            ("example", None),
        ] {
            assert_eq!(sites.find(name), number, "{name}");
        }
    }

    #[test]
    fn sites_that_overlap_are_refused() {
        assert!(wrong(vec![site(&["a"], false), site(&["A."], false)]).contains("a is named twice"));
        assert!(wrong(vec![site(&["*.a", "*.a"], false)]).contains("*.a is named twice"));
        assert!(wrong(vec![site(&["a"], true), site(&["b"], true)]).contains("another default site"));
        let path = SitePath { prefix: "/a".parse().unwrap(), waf: Waf::from_rules("").unwrap() };
        let twice = Site { paths: vec![path.clone(), path], ..site(&["a"], false) };
        assert!(wrong(vec![twice]).contains("/a is named twice"));
    }
}

//! The client of a request, and the headers that tell the upstream about it.
//!
//! Anybody can write `X-Forwarded-For`. Therefore only that of a trusted peer is read, from its end on: each trusted server appended who was at its other
//! end, and the first address that is not one of theirs is the client. What an upstream gets about clients is made here, and nothing of it is what a client
//! that is not trusted wrote.

use crate::settings::Settings;
use http::header::{FORWARDED, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub own: SocketAddr,
    /// `true` if the connection has TLS.
    pub is_encrypted: bool,
}

/// Returns the client of a request: the peer, or whom trusted peers name. Its port is 0 if they do.
pub fn client(ends: Ends, headers: &HeaderMap, settings: &Settings) -> SocketAddr {
    let mut client = ends.peer;
    let named = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    for named in named.collect::<Vec<_>>().into_iter().rev() {
        if !settings.trusts(client.ip()) {
            break;
        }
        // What follows was written by whoever wrote this.
        let Some(address) = address(named.trim()) else { break };
        client = SocketAddr::new(address, 0);
    }
    client
}

/// Replaces what a client wrote about itself. A trusted peer is believed.
pub fn set_headers(ends: Ends, headers: &mut HeaderMap, settings: &Settings) {
    let client = client(ends, headers, settings);
    if !settings.trusts(ends.peer.ip()) {
        let forged: Vec<HeaderName> = headers.keys().filter(|name| is_about_client(name)).cloned().collect();
        forged.into_iter().for_each(|name| drop(headers.remove(name)));
    }
    let peer = ends.peer.ip().to_canonical().to_string();
    let known = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let all: Vec<&str> = known.chain([peer.as_str()]).collect();
    let all = all.join(", ");
    for (name, text) in [(FORWARDED_FOR, all), (REAL_IP, client.ip().to_canonical().to_string())] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
    if !headers.contains_key(&FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if ends.is_encrypted { "https" } else { "http" }));
    }
    if let Some(host) = headers.get(HOST).filter(|_| !headers.contains_key(&FORWARDED_HOST)).cloned() {
        headers.insert(FORWARDED_HOST, host);
    }
}

/// Returns `true` for a header by which proxies tell about clients, also with `_` for `-`, which servers of CGI and its like do not tell apart.
fn is_about_client(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    name.starts_with("x-forwarded-") || [FORWARDED.as_str(), REAL_IP.as_str()].contains(&name.as_str())
}

/// Reads an address, which may have a port, as some servers write it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

    const ENDS: Ends = Ends {
        peer: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 4_000),
        own: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)), 80),
        is_encrypted: true,
    };

    fn settings(trusted: &str) -> Settings {
        Settings { trusted: trusted.split_whitespace().map(|network| network.parse().unwrap()).collect(), ..Settings::default() }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (FORWARDED_FOR, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_trusted_peers_name_the_client() {
        let named = headers(&["192.0.2.66, 192.0.2.7", "10.0.0.9"]);
        let of = |trusted: &str| client(ENDS, &named, &settings(trusted)).ip().to_string();
        assert_eq!((of(""), of("10.0.0.1/32"), of("10.0.0.0/8")), ("10.0.0.1".into(), "10.0.0.9".into(), "192.0.2.7".into()));
        let of = |values: &[&str]| client(ENDS, &headers(values), &settings("10.0.0.0/8")).to_string();
        assert_eq!(of(&["192.0.2.7:1234"]), "192.0.2.7:0");
        assert_eq!(of(&["[2001:db8::1]"]), "[2001:db8::1]:0");
        assert_eq!(of(&["192.0.2.7, unknown, 10.0.0.9"]), "10.0.0.9:0");
        assert_eq!(of(&[]), "10.0.0.1:4000");
    }

    #[test]
    fn an_upstream_is_told_nothing_that_a_client_made_up() {
        let mut told = headers(&["127.0.0.1"]);
        for name in [FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO, REAL_IP, FORWARDED] {
            told.insert(name, HeaderValue::from_static("made up"));
        }
        told.insert(HOST, HeaderValue::from_static("shop.example"));
        set_headers(ENDS, &mut told, &settings(""));
        let shown = |name: HeaderName| told.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(
            [FORWARDED_FOR, REAL_IP, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT, FORWARDED].map(shown),
            ["10.0.0.1", "10.0.0.1", "https", "shop.example", "", ""]
        );
    }

    #[test]
    fn a_trusted_peer_is_believed() {
        let mut told = headers(&["192.0.2.7"]);
        told.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        set_headers(ENDS, &mut told, &settings("10.0.0.0/8"));
        let shown = |name: HeaderName| told.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!([FORWARDED_FOR, REAL_IP, FORWARDED_PROTO].map(shown), ["192.0.2.7, 10.0.0.1", "192.0.2.7", "http"]);
    }
}

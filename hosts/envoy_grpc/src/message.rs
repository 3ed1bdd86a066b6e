//! Envoy's messages: what rules see of them, and what decisions become.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{HeaderMutation, ImmediateResponse, ProcessingRequest, ProcessingResponse};
use envoy_types::pb::envoy::r#type::v3::{HttpStatus, StatusCode};
use envoy_types::pb::google::protobuf::value::Kind;
use secrule::Intervention;
use secrule_serve::questions::Head;
use std::net::{IpAddr, SocketAddr};

/// The name of this server in audit records.
pub const NAME: &str = concat!("secrule-envoy-grpc ", env!("CARGO_PKG_VERSION"));

/// Returns the names and values of headers.
pub fn pairs(map: Option<HeaderMap>) -> Vec<(String, Vec<u8>)> {
    let pair = |header: HeaderValue| {
        let HeaderValue { key, value, raw_value } = header;
        (key, if raw_value.is_empty() { value.into_bytes() } else { raw_value })
    };
    map.map(|map| map.headers).unwrap_or_default().into_iter().map(pair).collect()
}

/// Returns the value of a pseudo-header.
pub fn pseudo<'h>(pairs: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h [u8]> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
}

/// Makes the head of a request of its headers: those of HTTP/2 become a request line and `Host`.
pub fn request_head(pairs: Vec<(String, Vec<u8>)>, version: &str) -> Head {
    let part = |name: &str| pseudo(&pairs, name).unwrap_or_default().to_vec();
    let (method, target) = (part(":method"), part(":path"));
    let host = pseudo(&pairs, ":authority").map(|host| ("host".to_owned(), host.to_vec()));
    let rest = pairs.into_iter().filter(|(name, _)| !name.starts_with(':'));
    Head { method, target, version: number(version).to_owned(), headers: host.into_iter().chain(rest).collect() }
}

/// Returns the number of a version such as `HTTP/2`.
pub fn number(version: &str) -> &'static str {
    match version.trim_start_matches("HTTP/") {
        "1.0" => "1.0",
        "2" | "2.0" => "2.0",
        "3" | "3.0" => "3.0",
        _ => "1.1",
    }
}

/// Returns an attribute, such as `source.address`.
pub fn attribute<'m>(message: &'m ProcessingRequest, name: &str) -> Option<&'m str> {
    let value = message.attributes.values().find_map(|attributes| attributes.fields.get(name))?;
    match value.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Reads an address, which may have a port.
pub fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 0)))
}

/// Returns the status that Envoy answers with: it takes none that it does not know, and none of a rule may let a request pass.
pub fn client_status(status: u16) -> u16 {
    let is_known = StatusCode::try_from(i32::from(status)).is_ok();
    if is_known && (300..=599).contains(&status) { status } else { 403 }
}

/// Returns the headers of an answer to an intervention.
pub fn answer_headers(intervention: &Intervention) -> Vec<HeaderValueOption> {
    intervention.location().map(|location| header("location", location)).into_iter().collect()
}

pub fn header(key: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: key.to_owned(), raw_value: value.as_bytes().to_vec(), ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

/// Returns the answer that ends an exchange. `details` are for Envoy's access log.
pub fn immediate(status: u16, headers: Vec<HeaderValueOption>, details: String) -> ProcessingResponse {
    let response = ImmediateResponse {
        status: Some(HttpStatus { code: i32::from(status) }),
        headers: Some(HeaderMutation { set_headers: headers, remove_headers: Vec::new() }),
        body: page(status).into_bytes(),
        grpc_status: None,
        details,
    };
    ProcessingResponse { response: Some(Response::ImmediateResponse(response)), ..ProcessingResponse::default() }
}

/// Returns a page that tells a client nothing about the rules.
pub fn page(status: u16) -> String {
    let known = http::StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string());
    format!("{known}\n")
}

/// Returns a word for Envoy's access log.
pub fn details(intervention: &Intervention) -> String {
    intervention.rule_id().map_or_else(|| "secrule_limit".to_owned(), |id| format!("secrule_rule_{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_the_host_and_pseudo_headers_are_no_headers() {
        let pairs = [(":method", "GET"), (":path", "/p?q"), (":authority", "shop.example"), (":scheme", "https"), ("accept", "*/*")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        let head = request_head(pairs, "HTTP/2");
        let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, head.header("host")), (vec!["host", "accept"], Some(&b"shop.example"[..])));
        assert_eq!((head.method, head.target, head.version), (b"GET".to_vec(), b"/p?q".to_vec(), "2.0".to_owned()));
    }

    #[test]
    fn no_status_of_a_rule_lets_a_request_pass_or_is_unknown_to_envoy() {
        assert_eq!([200, 302, 403, 418, 429, 999].map(client_status), [403, 302, 403, 403, 429, 403]);
    }

    #[test]
    fn addresses_have_ports_or_none() {
        let read = |text| address(text).map(|address| address.to_string());
        assert_eq!(read("192.0.2.7:80").as_deref(), Some("192.0.2.7:80"));
        assert_eq!(read("2001:db8::1").as_deref(), Some("[2001:db8::1]:0"));
        assert_eq!(read("/run/socket"), None);
    }
}

//! The event of a request whose score reaches the threshold.

use crate::place::Place;
use crate::rule_set::RuleSet;
use secrule::internals::exchange::{AttackRecord, MatchRecord};
use secrule::internals::graph::WAF_EVENT;
use secrule_host::Exchange;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::SystemTime;

/// Returns what rules found, if the score of the request reaches the threshold.
pub fn condition(exchange: &Exchange) -> Option<&AttackRecord<'static>> {
    exchange.attack.as_ref().filter(|attack| attack.score >= attack.threshold)
}

/// Returns the client of an exchange: an address as text, or what the server says of a peer without one.
pub fn client(exchange: &Exchange) -> Cow<'_, str> {
    exchange.client.map_or_else(|| text(&exchange.peer), |address| Cow::Owned(address.to_canonical().to_string()))
}

/// Returns the line of the request: the first of its head.
pub fn request_line(exchange: &Exchange, attack: &AttackRecord<'_>) -> Vec<u8> {
    match head(attack).0 {
        // Heads are left out with `SecPluginDetail Off`.
        [] => [&exchange.method, &b" "[..], &exchange.target].concat(),
        line => line.to_vec(),
    }
}

/// Returns the headers of the request, each with a line break after it.
pub fn headers<'a>(attack: &'a AttackRecord<'_>) -> &'a [u8] {
    head(attack).1
}

fn head<'a>(attack: &'a AttackRecord<'_>) -> (&'a [u8], &'a [u8]) {
    let head = &*attack.request_head;
    let end = head.windows(2).position(|pair| pair == b"\r\n");
    end.and_then(|end| Some((head.get(..end)?, head.get(end + 2..)?))).unwrap_or((head, b""))
}

/// Makes the event. Numbers are texts but those about rule sets and lines, as the published document has them.
pub fn of(exchange: &Exchange, attack: &AttackRecord<'_>, rules: &RuleSet, place: &Place) -> Value {
    let headers = text(headers(attack));
    let end = if headers.is_empty() { "" } else { "\r\n" };
    let seconds = exchange.arrived.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    json!({
        "app_id": exchange.site.to_string(),
        "type": WAF_EVENT,
        "score": attack.score.to_string(),
        "threshold": attack.threshold.to_string(),
        "action": if exchange.is_denied { "block" } else { "log" },
        "matches": attack.matches.iter().map(|found| of_match(found, rules)).collect::<Vec<_>>(),
        "header": format!("{headers}{end}"),
        "timestamp": seconds.to_string(),
        "request_id": text(&attack.unique_id),
        "client_country": place.country,
        "client_province": place.province,
        "client_city": place.city,
        "client_isp": place.provider,
        "from": "log_server",
        "body": text(&attack.request_body),
        "remote_addr": client(exchange),
        "host": text(&exchange.host),
        "request": text(&request_line(exchange, attack)),
    })
}

fn of_match(found: &MatchRecord<'_>, rules: &RuleSet) -> Value {
    let values: Vec<Value> = found.values.iter().map(|(name, value)| json!({ "name": text(name), "value": text(value) })).collect();
    json!({
        "matches": values,
        "begin_line": found.first_line,
        "end_line": found.last_line,
        "version": &*rules.version,
        "rule_id": found.rule.to_string(),
        "rule_set_id": rules.number,
        "msg": text(&found.message),
        "group": text(&found.group),
    })
}

/// Returns bytes as text for JSON: what is not UTF-8 is replaced.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

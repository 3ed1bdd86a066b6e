//! The servers of a store, as a process uses them: which one a request goes to, and its connections.

use super::address::{Address, AddressError, Login, Node, Place};
use super::command::{Argument, append, command};
use super::connection::{Connection, Greeting, reason};
use super::names::Names;
use super::pool::Pool;
use super::scripts::Script;
use super::slots::{Slots, slot};
use redis::Value;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use secrule::{AddError, Down, Full, WriteError};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of nodes that a request is sent to at once, one after the other; then there is a pause before each, until the deadline.
const HOPS: usize = 4;
const HOP_PAUSE: Duration = Duration::from_millis(2);

/// The time of a call that fails after which other connections to the server may be cut off, too.
const IN_VAIN: Duration = Duration::from_millis(10);

/// The time after which nodes are asked again which slots they serve, if one of them does not answer.
const REFRESH: Duration = Duration::from_secs(1);

/// Reason why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// The server has no memory left for what was to be written.
    Full,
    Down(Down),
}

/// The servers, and what this process knows of them.
#[derive(Debug)]
pub struct Servers {
    address: Arc<Address>,
    tls: Option<Arc<ClientConfig>>,
    names: Names,
    pools: Mutex<HashMap<Node, Arc<Pool>>>,
    slots: Mutex<KnownSlots>,
}

/// The slots of a cluster, as this process knows them.
#[derive(Debug, Default)]
struct KnownSlots {
    slots: Arc<Slots>,
    /// `true` if a node said that they are wrong: they are asked for before the next request.
    are_wrong: bool,
    /// `true` if a node does not answer: another one may serve its slots by now.
    may_be_wrong: bool,
    /// The time at which nodes were asked for them.
    asked: Option<Instant>,
}

impl From<Down> for Failure {
    fn from(down: Down) -> Self {
        Self::Down(down)
    }
}

impl From<Failure> for Down {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Self::new("the server has no memory left"),
            Failure::Down(down) => down,
        }
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Full::Store.into(),
            Failure::Down(down) => down.into(),
        }
    }
}

impl From<Failure> for AddError {
    fn from(failure: Failure) -> Self {
        Self::Write(failure.into())
    }
}

impl Servers {
    /// Names the servers. Nothing is opened yet.
    pub fn new(address: Arc<Address>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { address, tls, names: Names::default(), pools: Mutex::default(), slots: Mutex::default() }
    }

    /// Runs a script on the server of its keys, which are all in one slot.
    pub fn run<K: AsRef<[u8]>>(&self, script: &Script, keys: &[K], arguments: &[Argument<'_>], by: Instant) -> Result<Value, Failure> {
        let key = keys.first().map_or(&b""[..], AsRef::as_ref);
        let request = |name: &str, script: &str| {
            let mut command = command(name, &[Argument::Bytes(script.as_bytes())]);
            command.arg(keys.len());
            keys.iter().for_each(|key| append(&mut command, Argument::Bytes(key.as_ref())));
            arguments.iter().for_each(|argument| append(&mut command, *argument));
            command.get_packed_command()
        };
        match self.send(key, &request("EVALSHA", &script.hash), by)? {
            // A server that was started anew does not know it.
            Value::ServerError(error) if error.code() == "NOSCRIPT" => filled(self.send(key, &request("EVAL", script.code), by)?),
            answer => filled(answer),
        }
    }

    /// Runs a command whose first argument is its key.
    pub fn command(&self, name: &str, arguments: &[Argument<'_>], by: Instant) -> Result<Value, Down> {
        let Some(Argument::Bytes(key)) = arguments.first() else { return Err(Down::new("a command without a key")) };
        checked(self.send(key, &command(name, arguments).get_packed_command(), by)?)
    }

    /// Runs a command on one node.
    pub fn command_on(&self, node: &Node, name: &str, arguments: &[Argument<'_>], by: Instant) -> Result<Value, Down> {
        checked(self.exchange(node, &[&command(name, arguments).get_packed_command()], by)?)
    }

    /// Returns the nodes that have all keys together.
    pub fn nodes(&self, by: Instant) -> Result<Vec<Node>, Down> {
        match &self.address.place {
            Place::Cluster(_) => Ok(self.slots(by)?.nodes()),
            _ => Ok(vec![self.main()]),
        }
    }

    fn send(&self, key: &[u8], request: &[u8], by: Instant) -> Result<Value, Down> {
        if !matches!(self.address.place, Place::Cluster(_)) {
            return self.exchange(&self.main(), &[request], by);
        }
        let slot = slot(key);
        let mut named = None;
        for hop in 0.. {
            // Nodes tell each other of a move, which takes some milliseconds.
            if hop >= HOPS {
                let left = by.saturating_duration_since(Instant::now());
                if left <= HOP_PAUSE {
                    break;
                }
                std::thread::sleep(HOP_PAUSE);
            }
            let node = match named.take() {
                Some(node) => Some(node),
                None => self.slots(by)?.node(slot).cloned(),
            };
            let node = node.ok_or_else(|| Down::new("no node of the cluster serves the key"))?;
            let answer = self.exchange(&node, &[request], by);
            match &answer {
                Ok(Value::ServerError(error)) if matches!(error.code(), "MOVED" | "CLUSTERDOWN") => {
                    self.known().are_wrong = true;
                    // The node that moved it knows better than one that has not heard of it.
                    named = error.details().filter(|_| error.code() == "MOVED").and_then(|details| node_of(details, &node));
                }
                Ok(Value::ServerError(error)) if error.code() == "ASK" => {
                    let node = error.details().and_then(|details| node_of(details, &node)).ok_or_else(|| Down::new(reason(error)))?;
                    return self.exchange(&node, &[&command("ASKING", &[]).get_packed_command(), request], by);
                }
                Err(_) => {
                    self.known().may_be_wrong = true;
                    return answer;
                }
                _ => return answer,
            }
        }
        Err(Down::new("the nodes of the cluster do not agree which one serves the key"))
    }

    /// Sends requests over one connection and returns the last answer.
    fn exchange(&self, node: &Node, requests: &[&[u8]], by: Instant) -> Result<Value, Down> {
        let (pool, start) = (self.pool(node), Instant::now());
        let answer = pool.call(requests, by, || self.connect(node, by));
        let are_of_no_use = match &answer {
            Ok(Value::ServerError(error)) => error.code() == "READONLY",
            Ok(_) => false,
            // One that had little time tells nothing of the others.
            Err(_) => start.elapsed() >= IN_VAIN,
        };
        if are_of_no_use {
            pool.forget_idle();
        }
        answer
    }

    fn connect(&self, node: &Node, by: Instant) -> Result<Connection, Down> {
        let Place::Sentinels { nodes, service } = &self.address.place else { return self.open(node, &self.address.login, true, by) };
        let mut failure = Down::new("there is no sentinel");
        for (place, sentinel) in nodes.iter().enumerate() {
            match self
                .master(sentinel, service, share(by, nodes.len() - place))
                .and_then(|master| self.open(&master, &self.address.login, true, by))
            {
                Ok(connection) => return Ok(connection),
                Err(down) => failure = down,
            }
        }
        Err(failure)
    }

    fn open(&self, node: &Node, login: &Login, is_data: bool, by: Instant) -> Result<Connection, Down> {
        let must_be_master = is_data && matches!(self.address.place, Place::Sentinels { .. });
        let database = if is_data { self.address.database } else { 0 };
        Connection::open(node, Greeting { login, database, must_be_master, tls: self.tls.as_ref() }, &self.names, by)
    }

    /// Asks a sentinel for the master.
    fn master(&self, sentinel: &Node, service: &str, by: Instant) -> Result<Node, Down> {
        let mut connection = self.open(sentinel, &self.address.sentinel_login, false, by)?;
        let request =
            command("SENTINEL", &[Argument::Bytes(b"GET-MASTER-ADDR-BY-NAME"), Argument::Bytes(service.as_bytes())]).get_packed_command();
        let answer = checked(connection.call(&request, by)?)?;
        let (host, port): (String, u16) =
            redis::from_redis_value(answer).map_err(|_| Down::new(format!("{sentinel} knows no service {service}")))?;
        Ok(Node { host, port })
    }

    /// Returns the node of a store on one server; that of sentinels stands for the master.
    fn main(&self) -> Node {
        match &self.address.place {
            Place::Server(node) => node.clone(),
            Place::Sentinels { nodes, .. } | Place::Cluster(nodes) => nodes.first().cloned().unwrap_or_else(|| Node::new("", 0)),
        }
    }

    /// Returns the slots, and asks for them if they are not known.
    fn slots(&self, by: Instant) -> Result<Arc<Slots>, Down> {
        let mut known = self.known();
        let slots = Arc::clone(&known.slots);
        let is_due = known.may_be_wrong && known.asked.is_none_or(|asked| asked.elapsed() >= REFRESH);
        if !known.are_wrong && !is_due && !slots.is_empty() {
            return Ok(slots);
        }
        known.asked = Some(Instant::now());
        drop(known);
        match self.ask_for_slots(&slots, by) {
            Ok(found) => {
                let found = Arc::new(found);
                *self.known() = KnownSlots { slots: Arc::clone(&found), asked: Some(Instant::now()), ..KnownSlots::default() };
                Ok(found)
            }
            Err(_) if !slots.is_empty() => Ok(slots),
            Err(down) => Err(down),
        }
    }

    /// Asks the nodes that are named and those that are known, one after the other.
    fn ask_for_slots(&self, known: &Slots, by: Instant) -> Result<Slots, Down> {
        let Place::Cluster(named) = &self.address.place else { return Ok(Slots::default()) };
        let nodes = [named.clone(), known.nodes()].concat();
        let mut failure = Down::new("the nodes that are named serve no slot");
        for (place, node) in nodes.iter().enumerate() {
            match self.command_on(node, "CLUSTER", &[Argument::Bytes(b"SLOTS")], share(by, nodes.len() - place)) {
                Ok(answer) => {
                    let slots = Slots::read(&answer, node);
                    if !slots.is_empty() {
                        return Ok(slots);
                    }
                }
                Err(down) => failure = down,
            }
        }
        Err(failure)
    }

    fn known(&self) -> MutexGuard<'_, KnownSlots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool(&self, node: &Node) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(node) {
            return Arc::clone(pool);
        }
        Arc::clone(pools.entry(node.clone()).or_default())
    }
}

/// Returns the deadline of one of several attempts: each leaves as much time for the others, and for what follows.
fn share(by: Instant, attempts: usize) -> Instant {
    let now = Instant::now();
    now + by.saturating_duration_since(now) / u32::try_from(attempts + 1).unwrap_or(u32::MAX)
}

/// Returns an answer that is not an error, or says that the server is full.
fn filled(answer: Value) -> Result<Value, Failure> {
    match answer {
        Value::ServerError(error) if error.code() == "OOM" => Err(Failure::Full),
        answer => Ok(checked(answer)?),
    }
}

/// Returns an answer that is not an error.
fn checked(answer: Value) -> Result<Value, Down> {
    match answer {
        Value::ServerError(error) => Err(Down::new(reason(&error))),
        answer => Ok(answer),
    }
}

/// Returns the node of `SLOT HOST:PORT`, as a node names another one.
fn node_of(details: &str, asked: &Node) -> Option<Node> {
    let (host, port) = details.split_whitespace().nth(1)?.rsplit_once(':')?;
    let host = if host.is_empty() { &asked.host } else { host };
    Some(Node::new(host, port.parse().ok()?))
}

/// Makes the configuration of TLS: chain and name of a server are checked, by the authorities of the system or by those in a file.
pub fn tls(authorities: Option<&Path>) -> Result<Arc<ClientConfig>, AddressError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => {
            let failed = |error: &dyn std::fmt::Display| AddressError::Authorities(format!("{}: {error}", file.display()));
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))? {
                let certificate = certificate.map_err(|error| failed(&error))?;
                roots.add(certificate).map_err(|error| failed(&error))?;
            }
            if roots.is_empty() {
                return Err(failed(&"it has no certificate"));
            }
        }
        None => {
            // Some of a system's authorities may be of a kind that is not supported.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(AddressError::Authorities(
                    "the system has no certificates of authorities; the parameter ca names a file".to_owned(),
                ));
            }
        }
    }
    // The provider is named, because a host may have several.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| AddressError::Authorities(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

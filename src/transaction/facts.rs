//! What a transaction knows of its exchange, as bytes, for those who write it down.

use super::Transaction;
use crate::state::{Entry, Text};
use chrono::{DateTime, Local};

impl Transaction {
    /// When it began, in local time.
    pub fn began(&self) -> DateTime<Local> {
        self.state.collections.clock.began()
    }

    /// The client's address, as the host gave it.
    pub fn client_address(&self) -> &[u8] {
        self.read(self.state.collections.scalars.remote_addr)
    }

    /// The client's port; empty before the connection is known.
    pub fn client_port(&self) -> &[u8] {
        self.read(self.state.collections.scalars.remote_port)
    }

    /// The server's address, as the host gave it.
    pub fn server_address(&self) -> &[u8] {
        self.read(self.state.collections.scalars.server_addr)
    }

    /// The server's port; empty before the connection is known.
    pub fn server_port(&self) -> &[u8] {
        self.read(self.state.collections.scalars.server_port)
    }

    /// The name that logs give to the server: the one that the host set, otherwise the server's address.
    pub fn hostname(&self) -> &[u8] {
        self.state.hostname.map_or(self.server_address(), |name| self.read(name))
    }

    /// Sets the name that logs give to the server.
    pub fn set_hostname(&mut self, name: &[u8]) {
        self.state.hostname = Some(self.state.collections.arena.store(name));
    }

    /// What the host calls the software that connects it, for the audit log.
    pub fn connector(&self) -> &[u8] {
        self.read(self.state.connector)
    }

    /// Sets what the audit log calls the software that connects the host.
    pub fn set_connector(&mut self, name: &[u8]) {
        self.state.connector = self.state.collections.arena.store(name);
    }

    /// The method of the request.
    pub fn method(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_method)
    }

    /// The target of the request, as received.
    pub fn target(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_uri_raw)
    }

    /// The path of the request, decoded.
    pub fn path(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_filename)
    }

    /// The protocol of the request, such as `HTTP/1.1`.
    pub fn protocol(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_protocol)
    }

    /// The request line.
    pub fn request_line(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_line)
    }

    /// The user that the client says it is, where it says so.
    pub fn remote_user(&self) -> Option<&[u8]> {
        self.state.collections.scalars.remote_user.map(|user| self.read(user))
    }

    /// Names and values of the request headers, in the order of their arrival.
    pub fn request_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs(&self.state.collections.request_headers)
    }

    /// The request body, as far as it was taken in.
    pub fn request_body(&self) -> &[u8] {
        self.read(self.state.collections.arena.request_body())
    }

    /// The status of the response; 0 before it is known.
    pub fn status(&self) -> u16 {
        let digits = self.read(self.state.collections.scalars.response_status);
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// The protocol of the response, as the host gave it.
    pub fn response_protocol(&self) -> &[u8] {
        self.read(self.state.collections.scalars.response_protocol)
    }

    /// Names and values of the response headers, in the order of their arrival.
    pub fn response_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs(&self.state.collections.response_headers)
    }

    /// The response body, as far as it was taken in.
    pub fn response_body(&self) -> &[u8] {
        self.read(self.state.collections.arena.response_body())
    }

    fn pairs<'a>(&'a self, entries: &'a [Entry]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        entries.iter().map(|entry| (self.read(entry.name), self.read(entry.value)))
    }

    fn read(&self, text: Text) -> &[u8] {
        self.state.collections.arena.read(text)
    }
}

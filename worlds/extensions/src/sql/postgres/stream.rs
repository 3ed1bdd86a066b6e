//! A stream of bytes to a server, each step of which ends by a deadline.

use super::super::address::{Encryption, Host, Server};
use super::super::value::MAX_RESULT;
use super::Failure;
use bytes::BytesMut;
use postgres_protocol::message::backend::{Header, Message};
use postgres_protocol::message::frontend;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use secrule_host::timed::{self, Timed};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Limit of one message: a row of a result, and what is around its values.
const MAX_MESSAGE: usize = MAX_RESULT + (1 << 20);
const CHUNK: usize = 16 << 10;

/// A stream of messages.
pub(super) struct Stream {
    way: Way,
    received: BytesMut,
}

enum Way {
    Local(Timed<UnixStream>),
    Plain(Timed<TcpStream>),
    Secure(Box<StreamOwned<ClientConnection, Timed<TcpStream>>>),
}

impl Stream {
    /// Connects to a server.
    pub fn connect(server: &Server, by: Instant) -> Result<Self, Failure> {
        let way = match &server.host {
            Host::Folder(folder) => Way::Local(Timed::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", server.port)))?, by)),
            Host::Name(name) => {
                let mut timed = timed::connect(&addresses(name, server.port)?, by)?;
                match &server.encryption {
                    Encryption::Checked(authorities) => {
                        ask_for_tls(&mut timed)?;
                        Way::Secure(Box::new(StreamOwned::new(session(name, authorities.as_deref())?, timed)))
                    }
                    Encryption::None => Way::Plain(timed),
                }
            }
        };
        Ok(Self { way, received: BytesMut::new() })
    }

    /// Sets the deadline of the steps to come.
    pub fn set_deadline(&mut self, by: Instant) {
        match &mut self.way {
            Way::Local(timed) => timed.set_deadline(by),
            Way::Plain(timed) => timed.set_deadline(by),
            Way::Secure(secure) => secure.sock.set_deadline(by),
        }
    }

    /// Sends messages.
    pub fn send(&mut self, messages: &[u8]) -> Result<(), Failure> {
        let writer: &mut dyn Write = match &mut self.way {
            Way::Local(timed) => timed,
            Way::Plain(timed) => timed,
            Way::Secure(secure) => secure,
        };
        writer.write_all(messages)?;
        writer.flush()?;
        Ok(())
    }

    /// Waits for a message.
    pub fn receive(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(header) = Header::parse(&self.received)?
                && usize::try_from(header.len()).is_ok_and(|length| length > MAX_MESSAGE)
            {
                return Err(Failure::Refused("a row has more than 16 MiB; select parts of its columns".to_owned()));
            }
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; CHUNK];
        let length = match &mut self.way {
            Way::Local(timed) => timed.read(&mut chunk)?,
            Way::Plain(timed) => timed.read(&mut chunk)?,
            Way::Secure(secure) => secure.read(&mut chunk)?,
        };
        match chunk.get(..length) {
            Some(bytes) if !bytes.is_empty() => self.received.extend_from_slice(bytes),
            _ => return Err(Failure::Transport("the server closed the connection".to_owned())),
        }
        Ok(())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Transport("no answer in time".to_owned()),
            // rustls says so of a certificate: another connection meets the same.
            ErrorKind::InvalidData => Self::Refused(format!("{error}; check the certificate of the server, or sslrootcert")),
            _ => Self::Transport(error.to_string()),
        }
    }
}

fn addresses(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = (name, port).to_socket_addrs()?.collect();
    if addresses.is_empty() { Err(io::Error::new(ErrorKind::NotFound, "the name has no address")) } else { Ok(addresses) }
}

fn ask_for_tls(timed: &mut Timed<TcpStream>) -> Result<(), Failure> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    timed.write_all(&request)?;
    // Exactly one byte: what came behind it in the clear would be taken for the server's.
    let mut answer = [0];
    timed.read_exact(&mut answer)?;
    if answer == *b"S" {
        Ok(())
    } else {
        Err(Failure::Refused("the server has no TLS; switch it on there, or write sslmode=disable".to_owned()))
    }
}

/// Begins a TLS connection to a server of this name.
fn session(name: &str, authorities: Option<&Path>) -> Result<ClientConnection, Failure> {
    let name =
        ServerName::try_from(name.to_owned()).map_err(|error| Failure::Refused(format!("{error}: no certificate has such a name")))?;
    let config = client_config(authorities).map_err(Failure::Refused)?;
    ClientConnection::new(config, name).map_err(|error| Failure::Refused(format!("TLS: {error}; check sslrootcert")))
}

fn client_config(authorities: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            let wrong =
                |error: &dyn std::fmt::Display| format!("sslrootcert {}: {error}; name a file with certificates in PEM", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("there is no certificate of an authority to check the server with; name a file with sslrootcert".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

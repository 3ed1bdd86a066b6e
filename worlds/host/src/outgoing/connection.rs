//! A connection without HTTP, as `resty.http` has it: it is opened, a TLS handshake is made, it is closed.

use super::failure::Failure;
use super::permits::Permit;
use super::request::deadline;
use super::target::Target;
use super::tls::server_name;
use super::wire::Wire;
use super::{CONNECT, Outgoing};
use std::time::Duration;

/// A connection to a host. It counts as one of the host's requests until it is dropped, which closes it.
#[derive(Debug)]
pub struct Connection {
    outgoing: Outgoing,
    target: Target,
    /// Time limit of each step.
    time: Duration,
    /// `None` after a handshake that failed.
    wire: Option<Wire>,
    _permit: Permit,
}

impl Connection {
    /// Connects to a host, a name or an address, within a time limit and 5 seconds. A handshake has the same limits.
    ///
    /// # Errors
    /// The reason in one line: the host or its address is refused, or there is no answer.
    pub fn open(outgoing: &Outgoing, host: &str, port: u16, time: Duration) -> Result<Self, String> {
        let target = Target::new(host, port)?;
        let by = deadline(time);
        let permit = outgoing.permit(&target, by)?;
        let wire = outgoing
            .shared
            .addresses(&target, by)
            .and_then(|addresses| Wire::connect(&addresses, by.min(deadline(CONNECT))).map_err(Failure::from));
        let wire = wire.map_err(Failure::into_text)?;
        Ok(Self { outgoing: outgoing.clone(), target, time, wire: Some(wire), _permit: permit })
    }

    /// Makes a TLS handshake. The certificate must be for `name`, or for the host without one, and issued by somebody that the platform trusts.
    /// With `verify` false, it may be any certificate.
    ///
    /// # Errors
    /// The reason in one line. The connection is closed then.
    pub fn handshake(&mut self, name: Option<&str>, verify: bool) -> Result<(), String> {
        let wire = self.wire.take().ok_or("closed")?;
        let by = deadline(self.time.min(CONNECT));
        let target = name.map_or_else(|| Ok(self.target.clone()), |name| Target::new(name, self.target.port))?;
        let secure = self.outgoing.shared.tls.config(verify).and_then(|config| {
            let name = server_name(&target)?;
            Ok(wire.secure(config, name, by)?)
        });
        self.wire = Some(secure.map_err(Failure::into_text)?);
        Ok(())
    }

    /// Sets the time limit of later steps.
    pub fn set_time(&mut self, time: Duration) {
        self.time = time;
    }

    /// Closes the connection.
    pub fn close(self) {}
}

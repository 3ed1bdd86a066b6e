//! The login to a server: SCRAM-SHA-256, MD5, or a password in the clear over TLS.

use super::super::address::{Encryption, Server};
use super::Failure;
use super::connection::failure;
use super::stream::Stream;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

/// Begins a session. Only parameters that proxies of PostgreSQL know are asked for.
pub(super) fn login(stream: &mut Stream, server: &Server) -> Result<(), Failure> {
    let parameters = [
        ("user", server.user.as_str()),
        ("database", &server.database),
        ("application_name", "secrule"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO"),
        // Otherwise a backslash would mean something else to the server than to the parser of statements.
        ("standard_conforming_strings", "on"),
    ];
    let mut message = BytesMut::new();
    frontend::startup_message(parameters, &mut message)?;
    stream.send(&message)?;
    let mut scram = None;
    loop {
        let mut answer = BytesMut::new();
        match stream.receive()? {
            Message::AuthenticationOk | Message::ParameterStatus(_) | Message::BackendKeyData(_) | Message::NoticeResponse(_) => continue,
            Message::ReadyForQuery(_) => return Ok(()),
            Message::AuthenticationCleartextPassword if server.encryption == Encryption::None && !server.host.is_of_this_machine() => {
                return Err(Failure::Refused(
                    "the server asks for the password in the clear; use sslmode=verify-full, or scram-sha-256 there".to_owned(),
                ));
            }
            Message::AuthenticationCleartextPassword => frontend::password_message(password(server)?, &mut answer)?,
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(server.user.as_bytes(), password(server)?, body.salt());
                frontend::password_message(hash.as_bytes(), &mut answer)?;
            }
            Message::AuthenticationSasl(body) => {
                if !body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))? {
                    return Err(unknown());
                }
                let exchange = ScramSha256::new(password(server)?, ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, exchange.message(), &mut answer)?;
                scram = Some(exchange);
            }
            Message::AuthenticationSaslContinue(body) => {
                let exchange = scram.as_mut().ok_or_else(unknown)?;
                exchange.update(body.data())?;
                frontend::sasl_response(exchange.message(), &mut answer)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                scram.as_mut().ok_or_else(unknown)?.finish(body.data())?;
                continue;
            }
            Message::ErrorResponse(body) => return Err(failure(&body)),
            _ => return Err(unknown()),
        }
        stream.send(&answer)?;
    }
}

fn password(server: &Server) -> Result<&[u8], Failure> {
    let none = || Failure::Refused("the server asks for a password; write postgres://USER:PASSWORD@HOST/DATABASE".to_owned());
    server.password.as_ref().map(|password| password.0.as_bytes()).ok_or_else(none)
}

fn unknown() -> Failure {
    Failure::Refused("the server asks for a login that is not supported; set scram-sha-256 in its pg_hba.conf".to_owned())
}

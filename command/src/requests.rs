//! The input of a verb: raw requests from files or standard input, and the response to them.

use super::exchange::{Connection, Judgement, Request, Response, judge};
use super::{Failure, message, note};
use clap::Args;
use secrule::Transaction;
use std::io::{self, IsTerminal, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The input of a verb.
#[derive(Args, Debug)]
pub struct RequestOptions {
    /// Files with one raw request each; `-` is standard input
    #[arg(value_name = "REQUEST")]
    requests: Vec<PathBuf>,

    /// Read several requests from each file, separated by lines that are exactly this
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    separator: Option<String>,

    /// A file with the raw response to judge; the default is a small HTML page with status 200
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,

    /// The client address of the requests
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client_ip: IpAddr,

    /// The number of the site for decision scripts; the default is that of SecSiteId or SecSite
    #[arg(long, value_name = "N")]
    site: Option<u64>,
}

/// Requests by name, the response to each of them, and the client address.
pub struct Exchanges {
    pub requests: Vec<(String, Request)>,
    response: Response,
    client: String,
    site: Option<u64>,
}

impl RequestOptions {
    /// Reads the files.
    pub fn read(&self) -> Result<Exchanges, Failure> {
        let response = self.response.as_deref().map_or_else(|| Ok(default_response()), read_response)?;
        Ok(Exchanges { requests: read_requests(self)?, response, client: self.client_ip.to_string(), site: self.site })
    }
}

impl Exchanges {
    /// Lets a new transaction judge one of the requests.
    pub fn judge(&self, mut transaction: Transaction, request: &Request) -> Judgement {
        if let Some(site) = self.site {
            transaction.set_site(site);
        }
        let connection = Connection { client: &self.client, client_port: 43210, server: "127.0.0.1", server_port: 80 };
        judge(transaction, connection, request, &self.response)
    }
}

fn read_requests(options: &RequestOptions) -> Result<Vec<(String, Request)>, Failure> {
    let standard_input = [PathBuf::from("-")];
    let paths = if options.requests.is_empty() { standard_input.as_slice() } else { &options.requests };
    let mut requests = Vec::new();
    for path in paths {
        let (name, bytes) = if path.as_os_str() == "-" {
            if io::stdin().is_terminal() {
                note("secrule: type a request; Ctrl-D ends it");
            }
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map_err(|error| Failure::Reason(format!("standard input: {error}")))?;
            ("standard input".to_owned(), bytes)
        } else {
            (path.display().to_string(), std::fs::read(path).map_err(|error| Failure::unreadable(path, error))?)
        };
        let parts = options.separator.as_deref().map_or_else(|| vec![bytes.as_slice()], |separator| message::parts(&bytes, separator));
        for (number, part) in parts.iter().enumerate() {
            let name = if options.separator.is_some() { format!("{name}#{}", number + 1) } else { name.clone() };
            let request = message::request(part).map_err(|problem| Failure::Reason(format!("{name}: {problem}")))?;
            requests.push((name, request));
        }
    }
    Ok(requests)
}

fn read_response(path: &Path) -> Result<Response, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::unreadable(path, error))?;
    message::response(&bytes).map_err(|problem| Failure::unreadable(path, problem))
}

fn default_response() -> Response {
    let body = b"<!DOCTYPE html><title>ok</title>\n".to_vec();
    let headers = [("Content-Type", "text/html".to_owned()), ("Content-Length", body.len().to_string())];
    let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    Response { status: 200, protocol: "HTTP/1.1".to_owned(), headers, body }
}

//! Authentication of requests to the admin listener.
//!
//! | danger | what stands against it |
//! | --- | --- |
//! | a page of another site sends requests (CSRF) | it cannot set `Authorization`; `Origin` and `Sec-Fetch-Site` are compared, too |
//! | a name of another site leads to 127.0.0.1 (DNS rebinding) | on loopback `Host` must be an address or `localhost` |
//! | another user of the machine, or of the network | the token, compared in constant time |

use crate::ServeError;
use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::request::Parts;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use subtle::ConstantTimeEq as _;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Lengths of a token that a file may have, in bytes.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

/// Number of random bytes of a token that is made.
const RANDOM_BYTES: usize = 16;

/// A text that opens the page. Its letters are those of RFC 6750, so that a header can carry it.
#[derive(Clone)]
pub struct Token(String);

/// The reason why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `Host` is a name that may be of another site.
    Host,
    /// A page of another site asks.
    Site,
    /// There is no token, or another one.
    Token,
}

/// Access level of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is the same for everybody.
    Nothing,
    /// The token, except on loopback: programs that watch a server ask for it.
    TokenUnlessLoopback,
    /// The token.
    Token,
}

/// Decides about requests.
pub struct Access {
    token: Token,
    is_loopback: bool,
}

impl Token {
    /// Makes a token that cannot be guessed.
    pub fn random() -> Result<Self, ServeError> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::System(std::io::Error::other(error)))?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Reads a token from a file, without the blanks and line ends around it.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let refused = |reason: String| ServeError::AdminToken { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let token = text.trim();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !TOKEN_LENGTHS.contains(&token.len()) || !token.bytes().all(is_allowed) {
            let (min, max) = (TOKEN_LENGTHS.start(), TOKEN_LENGTHS.end());
            return Err(refused(format!(
                "it does not hold a token of {min} to {max} letters, digits and `-._~+/=`; `openssl rand -hex 16` makes one"
            )));
        }
        Ok(Self(token.to_owned()))
    }

    /// Returns the token.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Access {
    /// Allows requests with this token.
    pub fn new(token: Token, is_loopback: bool) -> Self {
        Self { token, is_loopback }
    }

    /// Returns the reason why a request is refused, if it is.
    pub fn check(&self, head: &Parts, needs: Needs) -> Result<(), Refusal> {
        let host = text(head, &HOST).unwrap_or_default();
        if self.is_loopback && !is_local(host) {
            return Err(Refusal::Host);
        }
        // Following a link to the page shows what everybody may see.
        let follows_link = needs == Needs::Nothing && text(head, &SEC_FETCH_MODE) == Some("navigate");
        let is_same = |site: &str| matches!(site, "same-origin" | "none");
        let is_foreign = text(head, &ORIGIN)
            .is_some_and(|origin| !["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host)))
            || text(head, &SEC_FETCH_SITE).is_some_and(|site| !is_same(site));
        if is_foreign && !follows_link {
            return Err(Refusal::Site);
        }
        let is_open = match needs {
            Needs::Nothing => true,
            Needs::TokenUnlessLoopback => self.is_loopback,
            Needs::Token => false,
        };
        if is_open || self.has_token(head) { Ok(()) } else { Err(Refusal::Token) }
    }

    fn has_token(&self, head: &Parts) -> bool {
        let mut values = head.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let given = value.as_bytes().split_at_checked("Bearer ".len());
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer ")).map(|(_, token)| token);
        // The length is no secret.
        given.is_some_and(|given| self.token.0.as_bytes().ct_eq(given).into())
    }
}

/// Returns a header that comes once; an empty text if it comes more often, or is not text.
fn text<'h>(head: &'h Parts, name: &HeaderName) -> Option<&'h str> {
    let mut values = head.headers.get_all(name).iter();
    let first = values.next()?;
    Some(first.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default())
}

/// Returns `true` if no name server says where a host is. Its port may be another: that of a tunnel.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn check(is_loopback: bool, needs: Needs, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let request = headers.iter().fold(http::Request::get("/"), |request, (name, value)| request.header(*name, *value));
        let (head, ()) = request.body(()).unwrap().into_parts();
        Access::new(Token(TOKEN.to_owned()), is_loopback).check(&head, needs)
    }

    const LOCAL: (&str, &str) = ("host", "127.0.0.1:9090");
    const BEARER: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");

    #[test]
    fn a_request_needs_the_token_once() {
        assert_eq!(check(true, Needs::Token, &[LOCAL, BEARER]), Ok(()));
        for wrong in ["Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Bearer ", "Basic 0123456789abcdef", "0123456789abcdef", "", "é"]
        {
            assert_eq!(check(true, Needs::Token, &[LOCAL, ("authorization", wrong)]), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(check(true, Needs::Token, &[LOCAL]), Err(Refusal::Token));
        assert_eq!(check(true, Needs::Token, &[LOCAL, BEARER, BEARER]), Err(Refusal::Token));
    }

    #[test]
    fn on_loopback_metrics_are_open_and_elsewhere_they_are_not() {
        assert_eq!(check(true, Needs::TokenUnlessLoopback, &[LOCAL]), Ok(()));
        assert_eq!(check(false, Needs::TokenUnlessLoopback, &[LOCAL]), Err(Refusal::Token));
        assert_eq!(check(false, Needs::TokenUnlessLoopback, &[("host", "waf.example:9090"), BEARER]), Ok(()));
    }

    #[test]
    fn on_loopback_a_name_that_a_name_server_may_lead_there_is_refused() {
        for host in ["localhost", "LOCALHOST:9090", "127.0.0.1", "[::1]:9090", "192.0.2.7:80"] {
            assert_eq!(check(true, Needs::Token, &[("host", host), BEARER]), Ok(()), "{host}");
        }
        for host in ["evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", ""] {
            assert_eq!(check(true, Needs::TokenUnlessLoopback, &[("host", host), BEARER]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check(true, Needs::Nothing, &[]), Err(Refusal::Host));
        assert_eq!(check(true, Needs::Nothing, &[LOCAL, ("host", "evil.example")]), Err(Refusal::Host));
    }

    #[test]
    fn a_page_of_another_site_is_refused_even_with_the_token() {
        for foreign in
            [("origin", "http://evil.example"), ("origin", "null"), ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")]
        {
            assert_eq!(check(true, Needs::Token, &[LOCAL, BEARER, foreign]), Err(Refusal::Site), "{foreign:?}");
            assert_eq!(check(true, Needs::TokenUnlessLoopback, &[LOCAL, foreign]), Err(Refusal::Site), "{foreign:?}");
        }
        // Another port of the machine is the same site, and another origin.
        assert_eq!(check(true, Needs::Token, &[LOCAL, BEARER, ("sec-fetch-site", "same-site")]), Err(Refusal::Site));
        // TLS may end in front of it.
        for own in ["http://127.0.0.1:9090", "https://127.0.0.1:9090"] {
            let own = [LOCAL, BEARER, ("origin", own), ("sec-fetch-site", "same-origin")];
            assert_eq!(check(true, Needs::Token, &own), Ok(()));
        }
    }

    #[test]
    fn a_link_to_the_page_may_be_anywhere() {
        let link = [LOCAL, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!(check(true, Needs::Nothing, &link), Ok(()));
        assert_eq!(check(true, Needs::TokenUnlessLoopback, &link), Err(Refusal::Site));
    }

    #[test]
    fn tokens_that_are_made_differ_and_those_of_files_are_checked() {
        let [first, second] = [(); 2].map(|()| Token::random().unwrap());
        assert!(first.0 != second.0 && first.0.len() == 32, "{} {}", first.0, second.0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
        assert_eq!(Token::read(&path).unwrap().0, TOKEN);
        for wrong in ["", "short", "0123456789abcdef with blanks", "0123456789abcdef\u{e9}"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(Token::read(&path).unwrap_err().to_string().contains("openssl rand"), "{wrong}");
        }
    }
}

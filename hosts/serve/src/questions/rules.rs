//! Chooses the rules of a question: those of the site and path that the request names, as the proxy does.

use super::head::Head;
use crate::server::SitesHandle;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use secrule::Waf;

/// Rules of questions.
#[derive(Clone, Debug)]
pub enum QuestionRules {
    /// The same for all requests.
    One(Waf),
    /// Those of the sites that a server has at that moment.
    Sites(SitesHandle),
}

impl QuestionRules {
    /// Returns the rules of a request.
    ///
    /// # Errors
    /// The status of a request that belongs to no site, or that names two hosts or none.
    pub fn of(&self, head: &Head) -> Result<Waf, StatusCode> {
        match self {
            Self::One(waf) => Ok(waf.clone()),
            Self::Sites(handle) => {
                let uri = uri(&head.target)?;
                let version = if head.version == "1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
                handle.sites().route(&uri, &headers(head)?, version).map(|route| route.waf)
            }
        }
    }
}

impl From<Waf> for QuestionRules {
    fn from(waf: Waf) -> Self {
        Self::One(waf)
    }
}

impl From<SitesHandle> for QuestionRules {
    fn from(handle: SitesHandle) -> Self {
        Self::Sites(handle)
    }
}

/// Reads a target. One that begins as a path and cannot be read has the rules of its site, as have all paths that can be read in two ways. So has one with a
/// fragment, which the proxy that asks sends on.
fn uri(target: &[u8]) -> Result<Uri, StatusCode> {
    let is_path = target.is_empty() || target.starts_with(b"/");
    match Uri::try_from(target) {
        Ok(uri) if !is_path || !target.contains(&b'#') => Ok(uri),
        _ if is_path => Ok(Uri::from_static("*")),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

/// Returns the headers with names and values that can be read. A `Host` that cannot is an error.
fn headers(head: &Head) -> Result<HeaderMap, StatusCode> {
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => {
                headers.try_append(name, value).map_err(|_| StatusCode::BAD_REQUEST)?;
            }
            (Ok(HOST), Err(_)) => return Err(StatusCode::BAD_REQUEST),
            // The path is in these names, too, and the rules see all of them.
            (Ok(name), Err(_)) => drop(headers.try_append(name, HeaderValue::from_static(""))),
            (Err(_), _) => {}
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_cannot_be_read_has_no_prefix_and_another_target_is_refused() {
        for (target, path) in [
            ("/api/x?q", Ok("/api/x")),
            ("/api/#/../x", Ok("*")),
            ("/api/\u{1}", Ok("*")),
            ("", Ok("*")),
            ("http://shop.example/api", Ok("/api")),
            ("shop.example:443", Ok("")),
            ("http://a b/", Err(StatusCode::BAD_REQUEST)),
        ] {
            let read = uri(target.as_bytes());
            assert_eq!(read.as_ref().map(Uri::path).map_err(|status| *status), path, "{target}");
        }
    }
}

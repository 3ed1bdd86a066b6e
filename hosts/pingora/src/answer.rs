//! Writes the answer to a request that is refused.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Method, Response};
use pingora_core::Result;
use pingora_core::protocols::http::ServerSession;

/// Writes an answer. The connection is closed afterwards if the answer says so, or if the body of the request was not read.
pub async fn write_answer(session: &mut ServerSession, answer: Response<Bytes>) -> Result<()> {
    let (mut head, page) = answer.into_parts();
    if head.headers.contains_key(CONNECTION) || !session.is_body_done() {
        session.set_keepalive(None);
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(page.len()));
    let has_page = session.req_header().method != Method::HEAD && !page.is_empty();
    session.write_response_header(Box::new(head.into())).await?;
    if has_page { session.write_response_body(page, true).await } else { session.finish_body().await }
}

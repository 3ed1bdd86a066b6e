//! Calls of gRPC through `secrule serve`: messages flow as they come, in both directions, and their status arrives.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod service;
#[path = "../serving/mod.rs"]
mod serving;

use bytes::Bytes;
use http::uri::PathAndQuery;
use service::Text;
use serving::Serving;
use std::fs;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Streaming};

/// Time for a message; the usual one must not take a twentieth of a second.
const LIMIT: Duration = Duration::from_secs(10);
const USUAL: Duration = Duration::from_millis(50);

/// Rules of all phases.
const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html application/json
SecRule ARGS "@contains attack" "id:1,phase:2,deny,log"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:2,phase:3,deny,log"
SecRule RESPONSE_BODY "@contains password" "id:3,phase:4,deny,log"
"#;

/// Settings that let messages of gRPC pass as they come, as the manual has them: no rule reads them, and no limit needs them before they go on.
const UNREAD: &str = "SecRequestBodyLimitAction ProcessPartial\n\
    SecRule REQUEST_HEADERS:Content-Type \"@beginsWith application/grpc\" \"id:4,phase:1,pass,nolog,ctl:requestBodyAccess=Off\"\n";

fn starter_rules() -> String {
    format!("Include {}\n", secrule_testkit::project().join("crs/tests/starter.conf").display())
}

/// A client of a service behind a proxy.
struct Caller {
    grpc: Grpc<Channel>,
    _serving: Serving,
}

impl Caller {
    /// Starts a service, and a proxy in front of it.
    async fn start(name: &str, rules: &str) -> Self {
        let upstream = format!("h2c://{}", service::start().await);
        let file = serving::folder(name).join("rules.conf");
        fs::write(&file, rules).unwrap();
        let serving = Serving::start(&["--upstream", &upstream, "--rules", file.to_str().unwrap()]);
        let channel = Channel::from_shared(format!("http://{}", serving.address)).unwrap().connect().await.unwrap();
        Self { grpc: Grpc::new(channel), _serving: serving }
    }

    /// Begins a call whose messages are sent one after the other.
    async fn begin(&mut self, method: &'static str) -> (Sender<Bytes>, Streaming<Bytes>) {
        let (sender, messages) = channel(1);
        self.grpc.ready().await.unwrap();
        let call = self.grpc.streaming(Request::new(ReceiverStream::new(messages)), PathAndQuery::from_static(method), Text);
        (sender, timeout(LIMIT, call).await.expect("the call does not begin").unwrap().into_inner())
    }
}

async fn next(messages: &mut Streaming<Bytes>) -> Result<Option<Bytes>, tonic::Status> {
    timeout(LIMIT, messages.next()).await.expect("no message comes").transpose()
}

/// Returns the number of messages that a status tells.
fn count_in(trailers: &MetadataMap) -> &str {
    trailers.get("x-count").unwrap().to_str().unwrap()
}

/// Fails if messages were slow: half of them, so that a machine that is busy for a moment does not matter.
fn assert_usual(mut times: Vec<Duration>) {
    times.sort();
    assert!(times[times.len() / 2] < USUAL, "{times:?}");
}

/// Makes the calls in which one side says all before the other one does.
async fn one_after_the_other(caller: &mut Caller) {
    caller.grpc.ready().await.unwrap();
    let answer = caller.grpc.unary(Request::new(Bytes::from("a password")), PathAndQuery::from_static("/test.Chat/Echo"), Text).await;
    let answer = answer.unwrap();
    assert_eq!(answer.get_ref(), "a password");
    assert_eq!(count_in(answer.metadata()), "1");

    caller.grpc.ready().await.unwrap();
    let messages = tokio_stream::iter(["a", "b", "c"].map(Bytes::from));
    let joined = caller.grpc.client_streaming(Request::new(messages), PathAndQuery::from_static("/test.Chat/Join"), Text).await.unwrap();
    assert_eq!(joined.get_ref(), "abc");

    caller.grpc.ready().await.unwrap();
    let count = caller.grpc.server_streaming(Request::new(Bytes::from("20")), PathAndQuery::from_static("/test.Chat/Count"), Text).await;
    let (mut count, mut times) = (count.unwrap().into_inner(), Vec::new());
    while let Some(sent) = next(&mut count).await.unwrap() {
        times.push(service::since(&sent));
    }
    assert_eq!(times.len(), 20);
    assert_usual(times);
    assert_eq!(count_in(&count.trailers().await.unwrap().unwrap()), "20");
}

/// Makes calls in which both sides speak in turn.
async fn in_turn(caller: &mut Caller) {
    // A message is sent when the answer to the one before has come.
    let (sender, mut echo) = caller.begin("/test.Chat/Echo").await;
    let mut times = Vec::new();
    for number in 0..20 {
        let (message, sent) = (Bytes::from(format!("the password of {number}")), Instant::now());
        sender.send(message.clone()).await.unwrap();
        assert_eq!(next(&mut echo).await.unwrap().unwrap(), message);
        times.push(sent.elapsed());
    }
    drop(sender);
    assert_eq!(next(&mut echo).await.unwrap(), None);
    assert_eq!(count_in(&echo.trailers().await.unwrap().unwrap()), "20");
    assert_usual(times);

    let (sender, mut failing) = caller.begin("/test.Chat/Fail").await;
    sender.send(Bytes::from("a")).await.unwrap();
    assert_eq!(next(&mut failing).await.unwrap().unwrap(), "a");
    let status = next(&mut failing).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "enough: 1 €"));
    assert_eq!(count_in(status.metadata()), "1");
}

#[tokio::test]
async fn each_kind_of_call_works_with_the_starter_rules() {
    let mut caller = Caller::start("grpc-starter", &format!("{}{UNREAD}", starter_rules())).await;
    one_after_the_other(&mut caller).await;
    in_turn(&mut caller).await;
}

#[tokio::test]
async fn each_kind_of_call_works_with_rules_for_responses() {
    let mut caller = Caller::start("grpc-response", &format!("{RULES}{UNREAD}")).await;
    one_after_the_other(&mut caller).await;
    in_turn(&mut caller).await;
}

/// Rules that may stop a request at its end hold its messages, so that a client which waits for an answer before it goes on gets none.
#[tokio::test]
async fn without_a_rule_for_grpc_the_client_must_say_all_first() {
    let mut caller = Caller::start("grpc-held", &starter_rules()).await;
    one_after_the_other(&mut caller).await;
    let (sender, messages) = channel(1);
    caller.grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/test.Chat/Echo");
    let call = caller.grpc.streaming(Request::new(ReceiverStream::new(messages)), path, Text);
    let mut call = std::pin::pin!(call);
    sender.send(Bytes::from("a")).await.unwrap();
    assert!(timeout(Duration::from_millis(500), &mut call).await.is_err());
    drop(sender);
    let mut echo = timeout(LIMIT, call).await.expect("the call does not end").unwrap().into_inner();
    assert_eq!(next(&mut echo).await.unwrap().unwrap(), "a");
    assert_eq!(next(&mut echo).await.unwrap(), None);
}

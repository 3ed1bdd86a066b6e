//! Decides about one request: by its rules, and by the policy if they need more of its body than what came.

use super::counts::{Counts, Outcome, Protocol};
use super::head::Head;
use super::notes::{Kind, Notes};
use super::rules::QuestionRules;
use bytes::Buf as _;
use http::StatusCode;
use http::header::HOST;
use http_body::Body;
use http_body_util::BodyExt as _;
use secrule::{BodyNeed, Connection, Intervention, Stop, Transaction, Waf};
use secrule_tower::host::BLOCKING_FROM;
use std::str::FromStr;
use std::sync::Arc;

/// Bytes of a body that are read and dropped after the rules have enough, so that the proxy reads the answer.
const DRAINED: usize = 64 << 20;

/// Policy for a request of whose body rules need more than what the proxy sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HiddenBody {
    /// The request passes if what came does.
    Pass,
    /// The request is refused with 403.
    Refuse,
}

/// Judges requests in one protocol.
#[derive(Clone, Debug)]
pub struct Judge {
    rules: QuestionRules,
    protocol: Protocol,
    hidden_body: HiddenBody,
    counts: Arc<Counts>,
    notes: Arc<Notes>,
}

/// The part of a body that comes with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// All of it, unless nothing comes although the head may have a body.
    WholeOrNothing,
    /// Its first bytes: the proxy says that it cut it.
    Start,
}

/// A request that a proxy asks about.
#[derive(Debug)]
pub struct Question<B> {
    /// The client, and this server.
    pub connection: Connection,
    /// The head of the request.
    pub head: Head,
    /// The body, as far as it comes.
    pub body: B,
    /// The part of the body that comes.
    pub part: Part,
    /// The status that the client receives for that of an intervention.
    pub client_status: fn(u16) -> u16,
}

/// Answer to a question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// The id of the exchange in logs.
    pub id: String,
    /// The rules that matched and are logged.
    pub rules: Vec<u64>,
    /// `true` if rules need more of the body than what came.
    pub hidden_body: bool,
}

/// Decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Pass,
    /// A rule or a limit stopped it.
    Stop(Intervention),
    /// The policy refuses it.
    Refuse,
    /// It is refused with this status, because it belongs to no site: 421 for an unknown host, 400 for a request that names two hosts or none.
    NoSite(u16),
    /// It could not be judged.
    Fail,
}

/// Part of a body that came.
struct Read {
    bytes: usize,
    /// `true` if it ended as it should, or rules need no more.
    is_enough: bool,
}

impl Judge {
    /// Makes a judge. All judges of a server may share counts and notes.
    pub fn new(
        rules: impl Into<QuestionRules>,
        protocol: Protocol,
        hidden_body: HiddenBody,
        counts: Arc<Counts>,
        notes: Arc<Notes>,
    ) -> Self {
        Self { rules: rules.into(), protocol, hidden_body, counts, notes }
    }

    /// Returns the rules of a request. A request that belongs to no site is noted.
    ///
    /// # Errors
    /// The status of the answer.
    pub fn rules_of(&self, head: &Head) -> Result<Waf, u16> {
        let noted = |status: StatusCode| {
            let why = if status == StatusCode::MISDIRECTED_REQUEST { "no site has its host" } else { "it does not name one host" };
            let host = head.header(HOST).map(secrule::internals::escape::text).unwrap_or_default();
            let line = format!("{}: {} for `{host}` is refused with {}: {why}", self.protocol.name(), request(head), status.as_u16());
            self.notes.write(Kind::NoSite, line);
            status.as_u16()
        };
        self.rules.of(head).map_err(noted)
    }

    /// Judges a request.
    pub async fn answer<B>(&self, question: Question<B>) -> Answer
    where
        B: Body + Unpin,
    {
        let Question { connection, mut head, body, part, client_status } = question;
        let may_have_body = part != Part::Whole && head.may_have_body();
        if may_have_body || !body.is_end_stream() {
            head.restore_framing();
        }
        let waf = match self.rules_of(&head) {
            Ok(waf) => waf,
            Err(status) => return self.unjudged(Decision::NoSite(status)),
        };
        let mut transaction = waf.begin(connection);
        let mut judged = head.judge(&mut transaction);
        let need = transaction.request_body_need();
        let mut is_hidden = false;
        if judged.is_ok() {
            let read = read(&mut transaction, body, need.limit()).await;
            let is_missing = match part {
                Part::Whole => !read.is_enough,
                Part::WholeOrNothing => !read.is_enough || may_have_body && read.bytes == 0,
                Part::Start => true,
            };
            is_hidden = is_missing && need.limit().is_none_or(|limit| read.bytes < limit);
            match end(transaction, read.bytes).await {
                Some((returned, end)) => (transaction, judged) = (returned, end),
                None => return self.fail("a request could not be judged"),
            }
        }
        let decision = match judged {
            Ok(()) if is_hidden && self.refuses(need, &head) => Decision::Refuse,
            Ok(()) => Decision::Pass,
            Err(Stop::Intervention(intervention)) => Decision::Stop(intervention),
            Err(_) => Decision::Fail,
        };
        let hidden_body = is_hidden && matches!(decision, Decision::Pass | Decision::Refuse);
        match &decision {
            Decision::Stop(intervention) if client_status(intervention.status()) != intervention.status() => {
                transaction.set_status(client_status(intervention.status()));
            }
            Decision::Refuse => transaction.set_status(403),
            _ => {}
        }
        let outcome = transaction.finish();
        self.count(&decision);
        Answer { decision, id: outcome.id().to_owned(), rules: outcome.matches().map(|found| found.id()).collect(), hidden_body }
    }

    /// Counts a request of whose body rules need more than what came, says so, and returns `true` if it is refused.
    pub fn refuses(&self, need: BodyNeed, head: &Head) -> bool {
        self.counts.count_hidden_body(self.protocol);
        // Rules that only look stop nothing, and so does this policy.
        let refuses = self.hidden_body == HiddenBody::Refuse && !need.may_forward();
        let name = self.protocol.name();
        let done = if refuses { "is refused" } else { "passes" };
        self.notes
            .write(Kind::HiddenBody, format!("{name}: {} {done}: rules need more of its body than what the proxy sent", request(head)));
        refuses
    }

    /// Counts a decision.
    pub fn count(&self, decision: &Decision) {
        let outcome = match decision {
            Decision::Pass => Outcome::Passed,
            Decision::Stop(_) => Outcome::Stopped,
            Decision::Refuse | Decision::NoSite(_) => Outcome::Refused,
            Decision::Fail => Outcome::Failed,
        };
        self.counts.count(self.protocol, outcome);
    }

    /// Counts a question that cannot be answered, and says why.
    pub fn complain(&self, kind: Kind, reason: &str) {
        self.counts.count(self.protocol, Outcome::Failed);
        self.notes.write(kind, format!("{}: {reason}", self.protocol.name()));
    }

    fn fail(&self, reason: &str) -> Answer {
        self.notes.write(Kind::Failure, format!("{}: {reason}", self.protocol.name()));
        self.unjudged(Decision::Fail)
    }

    /// Counts a request that no rules judged, and answers.
    fn unjudged(&self, decision: Decision) -> Answer {
        self.count(&decision);
        Answer { decision, id: String::new(), rules: Vec::new(), hidden_body: false }
    }
}

/// Returns the method and the path of a request as a part of a line.
fn request(head: &Head) -> String {
    let [method, target] = [&head.method, &head.target].map(|text| secrule::internals::escape::text(text));
    format!("{method} {}", target.split('?').next().unwrap_or_default())
}

/// Ends the request: a long body is judged where blocking is allowed. Returns `None` if that was stopped.
async fn end(mut transaction: Transaction, bytes: usize) -> Option<(Transaction, Result<(), Stop>)> {
    if bytes < BLOCKING_FROM {
        let end = transaction.request_end();
        return Some((transaction, end));
    }
    let judge = move || {
        let end = transaction.request_end();
        (transaction, end)
    };
    tokio::task::spawn_blocking(judge).await.ok()
}

/// Gives a body to the rules as it comes, as far as they need it. Interventions come at its end.
async fn read<B: Body + Unpin>(transaction: &mut Transaction, mut body: B, need: Option<usize>) -> Read {
    let mut read = Read { bytes: 0, is_enough: false };
    let mut takes = need != Some(0);
    let mut dropped = 0;
    loop {
        let Some(frame) = body.frame().await else {
            read.is_enough = true;
            return read;
        };
        let Ok(frame) = frame else {
            read.is_enough = !takes;
            return read;
        };
        let Ok(mut data) = frame.into_data() else { continue };
        let data = data.copy_to_bytes(data.remaining());
        if takes {
            read.bytes = read.bytes.saturating_add(data.len());
            takes = transaction.request_body(&data).is_ok() && need.is_none_or(|need| read.bytes < need);
        } else {
            dropped += data.len();
        }
        if dropped > DRAINED {
            read.is_enough = true;
            return read;
        }
    }
}

impl FromStr for HiddenBody {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pass" => Ok(Self::Pass),
            "refuse" => Ok(Self::Refuse),
            _ => Err("write pass or refuse".to_owned()),
        }
    }
}

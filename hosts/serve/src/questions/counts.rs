//! Numbers of questions and their answers.

use secrule_metrics::{Exposition, Family, Label};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Protocols in which proxies ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Caddy's `forward_auth`, Traefik's `forwardAuth`, nginx's `auth_request`.
    ForwardAuth,
    /// CrowdSec's AppSec protocol.
    AppSec,
    /// Envoy's `ext_authz` over gRPC.
    ExtAuthz,
    /// Envoy's `ext_proc`.
    ExtProc,
}

/// Numbers of questions in one protocol. Each question is in one of the first four, and may be in the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests that may pass.
    pub passed: u64,
    /// Requests that a rule or a limit stopped.
    pub stopped: u64,
    /// Requests that the policy refused, because rules need more of their bodies than what came; and those that belong to no site.
    pub refused: u64,
    /// Questions that could not be answered: from a peer that is not trusted, without what a question needs, with a wrong key.
    pub failed: u64,
    /// Requests of whose bodies rules need more than what came: those that passed, and those that were refused.
    pub hidden_bodies: u64,
}

/// Counts questions. Clones of an `Arc` of it count together.
#[derive(Debug, Default)]
pub struct Counts([Row; 4]);

#[derive(Debug, Default)]
struct Row {
    passed: AtomicU64,
    stopped: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    hidden_bodies: AtomicU64,
}

const PROTOCOL: Label = Label { name: "protocol", values: "`forward-auth`, `appsec`, `ext_authz`, `ext_proc`" };

const QUESTIONS: Family = Family::counter(
    "secrule_questions",
    &[
        PROTOCOL,
        Label {
            name: "outcome",
            values: "`passed`, `stopped` (by a rule or a limit), `refused` (by the policy, or without a site), `failed`",
        },
    ],
    "Questions of other proxies, by the answer.",
);
const HIDDEN_BODIES: Family = Family::counter(
    "secrule_question_hidden_bodies",
    &[PROTOCOL],
    "Questions about requests of whose bodies rules need more than what came. They passed or were refused.",
);

/// Outcome of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Stopped,
    Refused,
    Failed,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Self; 4] = [Self::ForwardAuth, Self::AppSec, Self::ExtAuthz, Self::ExtProc];

    /// Returns its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForwardAuth => "forward-auth",
            Self::AppSec => "appsec",
            Self::ExtAuthz => "ext_authz",
            Self::ExtProc => "ext_proc",
        }
    }
}

impl Counts {
    /// All metrics of questions, in the order of the text.
    pub const FAMILIES: &[Family] = &[QUESTIONS, HIDDEN_BODIES];

    /// Writes all numbers.
    pub fn write(&self, exposition: &mut Exposition) {
        let counts = Protocol::ALL.map(|protocol| (protocol.name(), self.of(protocol)));
        let mut samples = exposition.family(&QUESTIONS);
        for (protocol, counted) in counts {
            let Counted { passed, stopped, refused, failed, .. } = counted;
            for (outcome, count) in [("passed", passed), ("stopped", stopped), ("refused", refused), ("failed", failed)] {
                samples.value(&[("protocol", protocol), ("outcome", outcome)], count);
            }
        }
        let mut samples = exposition.family(&HIDDEN_BODIES);
        for (protocol, counted) in counts {
            samples.value(&[("protocol", protocol)], counted.hidden_bodies);
        }
    }

    /// Returns the numbers of a protocol.
    pub fn of(&self, protocol: Protocol) -> Counted {
        let row = self.row(protocol);
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counted {
            passed: read(&row.passed),
            stopped: read(&row.stopped),
            refused: read(&row.refused),
            failed: read(&row.failed),
            hidden_bodies: read(&row.hidden_bodies),
        }
    }

    pub(super) fn count(&self, protocol: Protocol, outcome: Outcome) {
        let row = self.row(protocol);
        let number = match outcome {
            Outcome::Passed => &row.passed,
            Outcome::Stopped => &row.stopped,
            Outcome::Refused => &row.refused,
            Outcome::Failed => &row.failed,
        };
        number.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_hidden_body(&self, protocol: Protocol) {
        self.row(protocol).hidden_bodies.fetch_add(1, Ordering::Relaxed);
    }

    fn row(&self, protocol: Protocol) -> &Row {
        let Self([forward_auth, appsec, ext_authz, ext_proc]) = self;
        match protocol {
            Protocol::ForwardAuth => forward_auth,
            Protocol::AppSec => appsec,
            Protocol::ExtAuthz => ext_authz,
            Protocol::ExtProc => ext_proc,
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, stopped, refused, failed, hidden_bodies } = self;
        write!(f, "{passed} passed, {stopped} stopped, {refused} refused, {failed} failed; {hidden_bodies} with a hidden body")
    }
}

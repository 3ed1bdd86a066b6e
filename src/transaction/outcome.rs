//! The outcome of an exchange.

use super::{Match, Rule, Shared};
use crate::graph::RuleIndex;
use crate::state::{Intervention, RuleMatch, ScriptFailure};
use crate::vocabulary::{Limit, LimitSet};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::sync::Arc;

/// The outcome of an exchange: the intervention, matches, and failures. It serialises as one record for a log.
///
/// ```
/// # use secrule::{Connection, Waf};
/// # let waf = Waf::from_rules("SecRule REQUEST_URI \"@contains /admin\" \"id:1,phase:1,pass,log,msg:'Admin'\"\nSecRuleEngine On")?;
/// # let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
/// # let parts = http::Request::get("/admin").body(())?.into_parts().0;
/// # tx.request_head(&parts)?;
/// let outcome = tx.finish();
/// for found in outcome.matches() {
///     println!("rule {}: {}", found.id(), found.message());
/// }
/// println!("{}", serde_json::to_string(&outcome)?);
/// # assert_eq!(outcome.matches().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Outcome {
    pub(super) shared: Arc<Shared>,
    pub(super) id: String,
    pub(super) intervention: Option<Intervention>,
    pub(super) detected: Option<RuleIndex>,
    pub(super) matches: Vec<RuleMatch>,
    pub(super) limits: LimitSet,
    pub(super) script_failures: Vec<ScriptFailure>,
    pub(super) notices: Vec<String>,
}

impl Outcome {
    /// Returns the id of the exchange: UNIQUE_ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the intervention that stopped the exchange.
    pub fn intervention(&self) -> Option<&Intervention> {
        self.intervention.as_ref()
    }

    /// Returns the first rule that would have stopped the exchange if `SecRuleEngine` were `On`; `None` if one did.
    pub fn detected(&self) -> Option<Rule<'_>> {
        let rule = self.detected.and_then(|index| self.shared.graph.rule(index));
        rule.map(|rule| Rule::new(&self.shared.report, rule))
    }

    /// Returns the rules that matched and are logged, in the order of their matches.
    ///
    /// A rule with `nolog` that stopped the exchange is not among them.
    pub fn matches(&self) -> impl Iterator<Item = Match<'_>> {
        self.matches.iter().map(|found| Match::new(&self.shared.graph, &self.shared.report, found))
    }

    /// Returns the sum of the [scores](Match::score) of all matches.
    pub fn score(&self) -> i64 {
        self.matches.iter().fold(0, |sum, found| sum.saturating_add(found.score))
    }

    /// Returns the limits that the exchange exceeded.
    pub fn exceeded_limits(&self) -> impl Iterator<Item = Limit> {
        self.limits.iter()
    }

    /// Returns the first scripts that failed.
    pub fn script_failures(&self) -> &[ScriptFailure] {
        &self.script_failures
    }

    /// Returns the errors of the engine, such as a record that was not written, for the error log. The same cause is reported once a minute, by
    /// the first exchange that meets it.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Outcome", 8)?;
        fields.serialize_field("id", &self.id)?;
        fields.serialize_field("intervention", &self.intervention)?;
        fields.serialize_field("detected", &self.detected())?;
        fields.serialize_field("score", &self.score())?;
        fields.serialize_field("matches", &self.matches().collect::<Vec<_>>())?;
        fields.serialize_field("exceeded_limits", &self.limits.iter().map(Limit::name).collect::<Vec<_>>())?;
        fields.serialize_field("script_failures", &self.script_failures)?;
        fields.serialize_field("notices", &self.notices)?;
        fields.end()
    }
}

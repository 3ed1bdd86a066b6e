//! Rules that no transaction comes to.

use super::directives::Builder;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Control, Effect, Phase};

impl Builder<'_> {
    /// Warns where phase 2 is skipped for all requests. Settings may stand behind the rules, so this comes last.
    pub fn check_phase_2(&mut self) {
        let brings_it_back = |effect: &Effect| matches!(effect, Effect::Control(Control::RequestBodyAccess(true)));
        if self.context.settings.merged.request_body_access != Some(false)
            || self.drafts.iter().any(|draft| draft.rule.effects.iter().any(brings_it_back))
        {
            return;
        }
        let mut unreached = self.drafts.iter().filter(|draft| draft.rule.phase == Phase::RequestBody && !draft.rule.chained);
        let Some(first) = unreached.next().map(|draft| draft.span) else { return };
        let message = match unreached.count() {
            0 => String::from("this rule of phase 2 is never evaluated, for `SecRequestBodyAccess` is `Off`"),
            more => format!("this rule of phase 2 and {more} more are never evaluated, for `SecRequestBodyAccess` is `Off`"),
        };
        let hint = "write SecRequestBodyAccess On, or give rules phase:1 that do not look at bodies";
        self.context.report(Diagnostic::new(Code::Unreached, first, message).hint(hint));
    }
}

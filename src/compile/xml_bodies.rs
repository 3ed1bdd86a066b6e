//! Rules that look at XML bodies where these cannot be seen.

use super::directives::Builder;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{BodyProcessor, Control, Effect, Phase, Rule, Test};
use crate::vocabulary::Variable;

impl Builder<'_> {
    /// Warns of rules that look at REQUEST_BODY, which is empty for a body that is read as XML, unless a rule forces it or they look at XML too.
    ///
    /// In ModSecurity v3 the variable holds such bodies, and guards against entities from elsewhere count on it.
    pub fn check_xml_bodies(&mut self) {
        let has = |control: fn(&Control) -> bool| {
            let effects = self.drafts.iter().flat_map(|draft| &draft.rule.effects);
            effects.into_iter().any(|effect| matches!(effect, Effect::Control(found) if control(found)))
        };
        if !has(|control| matches!(control, Control::RequestBodyProcessor(BodyProcessor::Xml)))
            || has(|control| matches!(control, Control::ForceRequestBodyVariable(true)))
        {
            return;
        }
        // A rule that is chained to another may be for other bodies only.
        let starters = self.drafts.iter().enumerate().filter(|(place, _)| {
            let before = place.checked_sub(1).and_then(|before| self.drafts.get(before));
            !before.is_some_and(|before| before.rule.chained)
        });
        let mut blind = starters.map(|(_, draft)| draft).filter(|draft| is_blind(&draft.rule));
        let Some(first) = blind.next().map(|draft| draft.span) else { return };
        let message = match blind.count() {
            0 => String::from("this rule does not see XML: REQUEST_BODY is empty for bodies that are read as XML"),
            more => format!("this rule and {more} more do not see XML: REQUEST_BODY is empty for bodies that are read as XML"),
        };
        let hint = "write ctl:forceRequestBodyVariable=On beside ctl:requestBodyProcessor=XML, or let them look at XML:/* and XML://@* too";
        self.context.report(Diagnostic::new(Code::XmlBodyUnseen, first, message).hint(hint));
    }
}

/// Whether a rule looks at bodies by REQUEST_BODY, and not by XML.
fn is_blind(rule: &Rule) -> bool {
    let Test::Operator { targets, .. } = &rule.test else { return false };
    let looks_at = |variable: Variable| targets.iter().any(|target| target.variable == variable && !target.count);
    matches!(rule.phase, Phase::RequestBody | Phase::Logging) && looks_at(Variable::RequestBody) && !looks_at(Variable::Xml)
}

//! Opens persistent collections before their use: in an assignment of the same rule, a later rule of the chain, or actions that an update adds.

use crate::graph::{
    Assignment, AssignmentChange, Effect, Opening, OperatorArgument, Part, PersistentCollection, Rule, RuleIndex, Template, Test,
};
use crate::vocabulary::Variable;

/// Moves openings of collections before a rule's assignments that use them: assignments run for each value that matches, effects when the whole chain
/// matches. `effect_places` is the number of assignments before each effect.
pub fn open_before_assignment(
    effects: &mut Vec<Effect>,
    effect_places: &mut Vec<usize>,
    openings: &mut Vec<Opening>,
    assignment: &Assignment,
) {
    let is_needed = |effect: &Effect| opened(effect).is_some_and(|collection| assignment_uses(assignment, collection.variable()));
    while let Some(at) = effects.iter().position(is_needed) {
        let before = effect_places.remove(at);
        if let Effect::OpenCollection { collection, key } = effects.remove(at) {
            openings.push(Opening { before, collection, key });
        }
    }
}

/// Makes a rule open a collection when it matches itself, instead of when its whole chain matches, if a later rule of the chain uses the collection,
/// or an action that `SecRuleUpdateActionById` adds, because those run first. Otherwise a rule that counts in the opened collection would count in
/// another one.
pub fn open_before_use(rules: &mut [Rule]) {
    let used = |rule: &Rule, collection: PersistentCollection| {
        let added = rule.updated.iter().flat_map(|updated| &updated.effects);
        added.into_iter().any(|effect| effect_uses(effect, collection.variable()))
            || followers(rules, rule).any(|follower| uses(follower, collection))
    };
    let mut moved: Vec<(usize, Vec<PersistentCollection>)> = Vec::new();
    for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.next.is_some() || rule.updated.is_some()) {
        let opened = rule.effects.iter().filter_map(opened);
        let early: Vec<_> = opened.filter(|collection| used(rule, *collection)).collect();
        if !early.is_empty() {
            moved.push((at, early));
        }
    }
    for (at, early) in moved {
        let Some(rule) = rules.get_mut(at) else { continue };
        for effect in std::mem::take(&mut rule.effects) {
            match effect {
                Effect::OpenCollection { collection, key } if early.contains(&collection) => {
                    rule.openings.push(Opening { before: rule.assignments.len(), collection, key });
                }
                effect => rule.effects.push(effect),
            }
        }
    }
}

/// Returns the later rules in the chain of a rule.
fn followers<'r>(rules: &'r [Rule], rule: &'r Rule) -> impl Iterator<Item = &'r Rule> {
    let next = |index: Option<RuleIndex>| index.and_then(|index| rules.get(index.0 as usize));
    std::iter::successors(next(rule.next), move |rule| next(rule.next))
}

/// Returns the collection that an effect opens.
fn opened(effect: &Effect) -> Option<PersistentCollection> {
    match effect {
        Effect::OpenCollection { collection, .. } => Some(*collection),
        _ => None,
    }
}

/// Returns `true` for an assignment that writes to a variable's collection, or reads it with a macro.
fn assignment_uses(assignment: &Assignment, variable: Variable) -> bool {
    let value = match &assignment.change {
        AssignmentChange::Set(value) | AssignmentChange::Add(value) | AssignmentChange::Subtract(value) => Some(value),
        AssignmentChange::Remove => None,
    };
    assignment.variable == variable || value.into_iter().chain([&assignment.key_template]).any(|template| names(template, variable))
}

fn names(template: &Template, variable: Variable) -> bool {
    template.parts().iter().any(|part| matches!(part, Part::Value(target) if target.variable == variable))
}

fn effect_uses(effect: &Effect, variable: Variable) -> bool {
    match effect {
        Effect::Assign(assignment) => assignment_uses(assignment, variable),
        Effect::Expire { variable: changed, .. } | Effect::Deprecate { variable: changed, .. } => *changed == variable,
        _ => false,
    }
}

/// Returns `true` for a rule that reads or writes a collection.
fn uses(rule: &Rule, collection: PersistentCollection) -> bool {
    let variable = collection.variable();
    let asks = match &rule.test {
        Test::Operator { targets, argument, .. } => {
            let by_macro = matches!(argument, OperatorArgument::Template(template) if names(template, variable));
            by_macro || targets.iter().any(|target| target.variable == variable)
        }
        // The variables that a script reads are known only when it runs.
        Test::Script(_) => true,
        Test::Unconditional | Test::Decision(_) => false,
    };
    asks || rule.assignments.iter().any(|assignment| assignment_uses(assignment, variable))
        || rule.effects.iter().any(|effect| effect_uses(effect, variable))
}

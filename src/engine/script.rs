//! Scripts in rules: `SecRuleScript`, `exec`, `@inspectFile FILE.lua`, and the functions of `m`.

use super::Evaluation;
use super::assignment::{assign_all, write};
use super::expand::rule_texts;
use super::notice::notice;
use super::pending_match::PendingMatch;
use super::sanitise::keep_script_text;
use super::select::select;
use crate::escape::{shown, text};
use crate::graph::{PersistentCollection, Rule, Selector, Settings, Target};
use crate::lua::{self, Budget, Call, Chain, Excess, Failure, Host, Limits, Question, Reply, Returned, Step, VariableName, World};
use crate::resolver::Names;
use crate::script::Script;
use crate::state::{DetailSource, Label, MatchText, ScriptFailure, Selected, Selection, Text};
use crate::vocabulary::{Limit, Shape, Variable};
use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Maximum number of script failures that a transaction records.
const MAX_FAILURES: usize = 16;

/// Maximum length of a script's result in an entry of the error log, in bytes.
const LONGEST_VALUE: usize = 100;

/// Cost of a call of a script, and of one of its instructions, in units of work.
const CALL: usize = 10_000;
const INSTRUCTION: usize = 4;

/// Size of a variable that a script makes, in addition to its bytes.
const VARIABLE_SIZE: usize = 128;

/// Runs the script of a rule. Returns `true` if the rule matches. The script's result is the message of a rule without `msg`; ModSecurity v3 discards
/// it.
pub fn ask_script(eval: &mut Evaluation<'_>, rule: &Rule, script: &Script, draft: &mut PendingMatch) -> bool {
    let found = run_script(eval, rule, script, None);
    eval.debug(4, || format!("Rule returned {}.", u8::from(found.is_some())));
    let Some(found) = found else { return false };
    note_script(eval, script, found, draft);
    assign_all(eval, rule);
    true
}

/// Describes a script's match in the log entry.
pub fn note_script(eval: &mut Evaluation<'_>, script: &Script, found: Vec<u8>, draft: &mut PendingMatch) {
    if draft.logs {
        let value = shown(&found, LONGEST_VALUE);
        let entry = draft.entry();
        entry.detail = format!("Matched script `{}'", script.name()).into_bytes();
        entry.detail_own = entry.detail.len();
        entry.detail.extend_from_slice(" (Value: `".as_bytes());
        let (argument, value_start) = (entry.detail.len()..entry.detail.len(), entry.detail.len());
        entry.detail.extend_from_slice(format!("{value}' )").as_bytes());
        if eval.state.secrets.is_some() {
            let value = Selected { label: Label::Unnamed, value: eval.state.collections.arena.store(&found), offsets: None };
            entry.sources().detail = Some(DetailSource { argument, expanded: None, value_start, value });
        }
        keep_script_text(eval, MatchText::Message, &found, draft);
        draft.entry().message = found;
    }
}

/// Runs a script for a rule. Returns its result if it matches.
pub fn run_script(eval: &mut Evaluation<'_>, rule: &Rule, script: &Script, argument: Option<&[u8]>) -> Option<Vec<u8>> {
    let rules = eval.rules;
    eval.debug(4, || format!(" Executing script: {}.", script.name()));
    let sandboxed = rules.settings.lua_sandbox;
    let call = Call { script, world: World::Rule { argument }, sandboxed, limits: limits(&rules.settings) };
    match lua::run(&call, &mut OfRule { eval, rule }) {
        Ok(Returned::Text(found) | Returned::Number(_, found)) => {
            eval.debug(9, || format!("Returning from lua script: {}", text(&found)));
            Some(found).filter(|found| !found.is_empty())
        }
        Ok(Returned::Nothing | Returned::Other(_)) => None,
        Err(failure) => {
            script_failed(eval, script, &failure);
            None
        }
    }
}

/// Charges the cost of a script's call.
pub fn spend_on_script(eval: &mut Evaluation<'_>, instructions: u64) {
    eval.charge(CALL.saturating_add(usize::try_from(instructions).unwrap_or(usize::MAX).saturating_mul(INSTRUCTION)));
}

/// Records that a script failed. Rules find TX:MSC_SCRIPT_FAILED, and if the script was stopped, TX:MSC_LUA_LIMITS_EXCEEDED too.
pub fn script_failed(eval: &mut Evaluation<'_>, script: &Script, failure: &Failure) {
    let stopped = matches!(failure, Failure::Over(_));
    if let Failure::Over(excess) = failure {
        eval.exceed(match excess {
            Excess::Instructions => Limit::LuaInstructions,
            Excess::Time => Limit::LuaTime,
            Excess::Memory => Limit::LuaMemory,
        });
        eval.raise_flag("MSC_LUA_LIMITS_EXCEEDED");
    }
    eval.raise_flag("MSC_SCRIPT_FAILED");
    eval.debug(if stopped { 1 } else { 2 }, || format!("Lua script {}: {failure}", script.name()));
    notice(eval, script.name(), || format!("Script {} failed: {failure}.", script.name()));
    if eval.state.script_failures.len() < MAX_FAILURES {
        eval.state.script_failures.push(ScriptFailure { script: script.name().to_owned(), reason: failure.to_string(), stopped });
    }
}

/// Returns the limits of one call of a script.
pub fn limits(settings: &Settings) -> Limits {
    Limits {
        instructions: settings.limit(Limit::LuaInstructions) as u64,
        time: Duration::from_millis(settings.limit(Limit::LuaTime) as u64),
        memory: settings.limit(Limit::LuaMemory),
    }
}

/// Host functions of a rule's script.
struct OfRule<'a, 'r> {
    eval: &'a mut Evaluation<'r>,
    rule: &'a Rule,
}

impl Host for OfRule<'_, '_> {
    fn spent(&mut self, instructions: u64) {
        spend_on_script(self.eval, instructions);
    }

    fn answer(&mut self, question: Question<'_>, budget: &Budget) -> Reply<'_> {
        let before = self.eval.state.collections.arena.stored();
        match question {
            Question::Log(level, message) => {
                let level = u8::try_from(level.clamp(0, 9)).unwrap_or(0);
                self.eval.debug(level, || text(message));
                Reply::Nothing
            }
            Question::Variable(name, chain) => {
                let value = self.value_of(name);
                self.charge(before, budget);
                match value {
                    Some(value) => Reply::Text(self.transformed(value, chain, budget)),
                    None => Reply::Nothing,
                }
            }
            Question::Variables(name, chain) => {
                let values = self.all(name);
                self.charge(before, budget);
                let arena = &self.eval.state.collections.arena;
                let named = values.iter().map(|value| {
                    let mut label = Vec::new();
                    value.label.write(arena, &mut label);
                    (label, self.transformed(value.value, chain, budget).into_owned())
                });
                Reply::Pairs(named.collect())
            }
            Question::SetVariable(name, value) => {
                let made = self.set(name, value);
                self.charge(before.saturating_sub(made), budget);
                Reply::Nothing
            }
            Question::AddressesOf(name) => self.looked_up(budget, |names, deadline| {
                let found = names.addresses(str::from_utf8(name).map_err(|_| io::ErrorKind::InvalidInput)?, deadline)?;
                Ok(found.iter().map(IpAddr::to_string).collect())
            }),
            Question::NamesOf(address) => self.looked_up(budget, |names, deadline| {
                let address = str::from_utf8(address).ok().and_then(|address| address.parse().ok());
                names.names(address.ok_or(io::ErrorKind::InvalidInput)?, deadline)
            }),
            _ => Reply::Senseless(String::from("rules cannot ask this")),
        }
    }
}

impl OfRule<'_, '_> {
    /// Returns the result of a `socket.dns` function: texts, or the error in the words of the system's resolver. It takes no longer than the call
    /// may, and no longer than `SecResolverTimeLimit`.
    fn looked_up(&self, budget: &Budget, ask: impl FnOnce(Names<'_>, Instant) -> io::Result<Vec<String>>) -> Reply<'static> {
        let settings = &self.eval.rules.settings;
        let limit = settings.resolver_time_limit;
        let own = Instant::now().checked_add(limit).unwrap_or_else(Instant::now);
        let found = ask(self.eval.services.origins.names(), own.min(budget.deadline()));
        if budget.look() {
            budget.exceed(Excess::Time);
        }
        match found {
            Ok(texts) => Reply::List(texts.into_iter().map(String::into_bytes).collect()),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Reply::Senseless(String::from("host or service not provided, or not known"))
            }
            Err(_) => Reply::Senseless(String::from("temporary failure in name resolution")),
        }
    }

    /// Charges the bytes that the transaction stored for the script to the script's memory. If they are too many, its next operation stops it.
    fn charge(&self, before: usize, budget: &Budget) {
        let grown = self.eval.state.collections.arena.stored().saturating_sub(before);
        // The budget stays exhausted.
        let _ = budget.fill_memory(grown);
    }

    /// Returns the value of a variable: of a key with several values the last, of a whole collection the first. As in ModSecurity v3, an empty value
    /// counts as missing.
    fn value_of(&mut self, name: &VariableName) -> Option<Text> {
        let target = self.target(name)?;
        let texts = rule_texts(self.eval, self.rule, target);
        let collections = &mut self.eval.state.collections;
        let store = self.eval.services.store.as_ref();
        let selection =
            Selection { graph: self.eval.rules, store, namespaces: &self.rule.namespaces, rule: texts.as_ref(), max: usize::MAX };
        let value = match target.selector {
            Selector::Key(_) if target.variable != Variable::Tx => {
                let mut found = Vec::with_capacity(1);
                collections.select(target, &selection, &mut found);
                found.last()?.value
            }
            _ => collections.first(target, &selection)?,
        };
        (!value.is_empty()).then_some(value)
    }

    fn all(&mut self, name: &VariableName) -> Vec<Selected> {
        let mut values = Vec::new();
        if let Some(target) = self.target(name) {
            select(self.eval, self.rule, target, &mut values);
            if target.variable.shape() == Shape::Scalar {
                values.retain(|value| !value.value.is_empty());
            }
        }
        values
    }

    /// Returns the target that a script names; `None` if the variable does not exist.
    fn target<'name>(&self, name: &'name VariableName) -> Option<&'name Target> {
        let target = name.target();
        if target.is_none() {
            self.eval.debug(2, || format!("Lua: there is no variable `{}`.", text(name.text())));
        }
        target
    }

    /// Returns a value after transformations. As in ModSecurity v3, unknown ones are skipped; once the budget is exhausted, so are the rest.
    fn transformed(&self, value: Text, chain: &Chain, budget: &Budget) -> Cow<'_, [u8]> {
        let mut value = Cow::Borrowed(self.eval.state.collections.arena.read(value));
        let mut output = Vec::new();
        for step in chain.steps() {
            if budget.spend_on(value.len()).is_err() {
                break;
            }
            match step {
                Step::Known(step) if step.apply(&value, &mut output, self.eval.rules.unicode_map.as_deref()).rewritten => {
                    value = Cow::Owned(std::mem::take(&mut output));
                    if value.len() > budget.memory() {
                        budget.exceed(Excess::Memory);
                    }
                }
                Step::Known(_) => {}
                Step::Unknown(name) => self.eval.debug(2, || format!("Lua: there is no transformation `{}`.", text(name))),
            }
        }
        value
    }

    /// Sets a variable of TX or of a persistent collection to a text, without expanding it. Returns its size in addition to the bytes of the value.
    fn set(&mut self, name: &VariableName, value: &[u8]) -> usize {
        let Some(key) = name.key() else {
            self.eval.debug(8, || format!("Lua: m.setvar needs a collection and a key, such as tx.{}.", text(name.text())));
            return 0;
        };
        let collections = &mut self.eval.state.collections;
        let variable = name.target().map(|target| target.variable);
        match variable.map(|variable| (variable, PersistentCollection::of(variable))) {
            Some((Variable::Tx, _)) => {
                let value = collections.arena.store(value);
                let slot = collections.tx.find_or_make(&self.eval.rules.tx_names, key, &mut collections.arena.budget);
                collections.tx.write(slot, Some(value));
            }
            Some((_, Some(collection))) => {
                let record = collections.record_key(collection, self.eval.rules);
                if write(self.eval, &record, key, value).is_none() {
                    return 0;
                }
            }
            _ => {
                self.eval.debug(2, || format!("Lua: `{}` is not a writable collection.", text(name.variable())));
                return 0;
            }
        }
        self.eval.debug(8, || {
            format!("Saving variable: {}:{} with value: {}", text(name.variable()).to_ascii_uppercase(), text(key), text(value))
        });
        key.len().saturating_mul(2).saturating_add(VARIABLE_SIZE)
    }
}

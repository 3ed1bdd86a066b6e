//! Runs steps that read and write nothing but TX: the jumps by paranoia level, the initialisation and the sums of scores of the OWASP CRS. Their rules
//! log nothing, so only their assignments are done, and what `pass` and `skipAfter` do: a static GET takes 574,000 instead of 646,000 instructions.
//!
//! MATCHED_VAR and related variables are left as they are: every rule that is evaluated begins with empty ones, so nothing reads a match of these.

use super::Evaluation;
use super::assignment::assign_all;
use super::comparison::{goes_unobserved, holds};
use crate::graph::{EngineMode, OnMatch, Phase, Plan, PlannedStep, Step, TxStep};

/// The step that a run reached.
pub enum Reached {
    /// A step after the run, which may be ruled out.
    Step(usize),
    /// A rule that must be evaluated, or the end of the phase.
    Rule(usize),
}

/// Runs the steps from `place` on that read and write nothing but TX. While a full profile is taken, only those that do not match are passed.
pub fn run_tx_steps(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, mut place: usize) -> Reached {
    let steps = plan.steps.at(phase);
    let may_act = goes_unobserved(eval);
    while let Some(PlannedStep::Tx(TxStep { comparison, on_match })) = steps.get(place) {
        let matches = comparison.as_ref().map_or(Some(true), |comparison| holds(eval, comparison));
        match (matches, on_match) {
            (Some(false), _) => place += 1,
            (Some(true), OnMatch::Act { passes, assigns, next }) if may_act => {
                if *assigns {
                    assign(eval, phase, place);
                }
                if *passes && eval.engine_mode() == EngineMode::On {
                    eval.state.pending.take_back();
                }
                if !eval.may_go_on(phase) {
                    return Reached::Rule(steps.len());
                }
                place = *next as usize;
            }
            _ => return Reached::Rule(place),
        }
    }
    Reached::Step(place)
}

/// Runs the assignments of the rule at `place`.
fn assign(eval: &mut Evaluation<'_>, phase: Phase, place: usize) {
    let rules = eval.rules;
    if let Some(Step::Rule(index)) = rules.phases.at(phase).get(place)
        && let Some(rule) = rules.rule(*index)
    {
        assign_all(eval, rule);
    }
}

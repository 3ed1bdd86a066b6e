//! Builds the NFA of a pattern from its syntax tree, without a [`Hir`](regex_syntax::hir::Hir) in between.
//!
//! A `Hir` takes two allocations for each letter of a pattern that ignores case, and its states are linked and renumbered afterwards. Here a part of a
//! pattern is built after what follows it, so that each state knows the next one when it is added: a third of the instructions, which the first search of
//! each pattern saves. The states are those that `regex-automata` would make of the `Hir`, in another order.
//!
//! Patterns in UTF-8 and long lists of literals, of which `regex-automata` makes a trie, are left to it.

use super::byte_set::ByteSet;
use super::code_set::CodeSet;
use super::tree::{Assertion, EmptyMatches, Node, Repeat, RepeatKind, Syntax};
use regex_automata::nfa::thompson::{Builder, NFA, Transition};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

/// From so many literals on, a list of literals is better a trie.
const LITERALS_OF_TRIE: usize = 8;

/// Builds the NFA of a pattern; `None` for a pattern that is left to `regex-automata`, or that automata cannot run.
pub(super) fn build(syntax: &Syntax) -> Option<NFA> {
    if syntax.utf || syntax.empty_matches != EmptyMatches::All {
        return None;
    }
    let mut builder = Builder::new();
    builder.start_pattern().ok()?;
    let end = builder.add_match().ok()?;
    let end = builder.add_capture_end(end, 0).ok()?;
    let start = node(&mut builder, &syntax.root, end)?;
    let start = builder.add_capture_start(start, 0, None).ok()?;
    builder.finish_pattern(start).ok()?;
    let unanchored = if begins_at_text_start(&syntax.root) { start } else { after_any_bytes(&mut builder, start)? };
    builder.build(start, unanchored).ok()
}

/// Adds a loop over any bytes, as few as possible, before `next`.
fn after_any_bytes(builder: &mut Builder, next: StateID) -> Option<StateID> {
    let union = builder.add_union(vec![next]).ok()?;
    let any = builder.add_range(Transition { start: 0, end: u8::MAX, next: union }).ok()?;
    builder.patch(union, any).ok()?;
    Some(union)
}

/// Adds the states of a part of a pattern that is followed by `next`, and returns the first of them. `None` for a part that automata cannot run.
///
/// The depth of the recursion is bounded by the nesting limit of the parser.
fn node(builder: &mut Builder, part: &Node, next: StateID) -> Option<StateID> {
    match part {
        Node::Empty => Some(next),
        Node::Byte(byte) => builder.add_range(Transition { start: *byte, end: *byte, next }).ok(),
        Node::Set(CodeSet::Bytes(bytes)) => set(builder, *bytes, next),
        Node::Assert(assertion) => builder.add_look(next, look(*assertion)?).ok(),
        Node::Concat(parts) => parts.iter().rev().try_fold(next, |next, part| node(builder, part, next)),
        Node::Alternation(parts) => alternation(builder, parts, next),
        Node::Capture(number, inner) => {
            let number = u32::try_from(*number).ok()?;
            let end = builder.add_capture_end(next, number).ok()?;
            let start = node(builder, inner, end)?;
            builder.add_capture_start(start, number, None).ok()
        }
        Node::Repeat(repeat) => repetition(builder, repeat, next),
        Node::Set(CodeSet::Chars(_))
        | Node::Atomic(_)
        | Node::Look(..)
        | Node::BackReference { .. }
        | Node::Call(_)
        | Node::Conditional(_)
        | Node::Keep
        | Node::Verb(_) => None,
    }
}

fn set(builder: &mut Builder, bytes: ByteSet, next: StateID) -> Option<StateID> {
    let mut ranges = bytes.ranges().map(|range| Transition { start: *range.start(), end: *range.end(), next });
    let Some(first) = ranges.next() else { return builder.add_fail().ok() };
    let Some(second) = ranges.next() else { return builder.add_range(first).ok() };
    let mut transitions = Vec::with_capacity(2);
    transitions.extend([first, second]);
    transitions.extend(ranges);
    builder.add_sparse(transitions).ok()
}

fn look(assertion: Assertion) -> Option<Look> {
    Some(match assertion {
        Assertion::LineStart => Look::StartLF,
        Assertion::LineEnd => Look::EndLF,
        Assertion::TextStart => Look::Start,
        Assertion::TextEnd => Look::End,
        Assertion::WordBoundary => Look::WordAscii,
        Assertion::NotWordBoundary => Look::WordAsciiNegate,
        Assertion::FinalEnd | Assertion::SearchStart => return None,
    })
}

fn alternation(builder: &mut Builder, parts: &[Node], next: StateID) -> Option<StateID> {
    if let Some(bytes) = parts.iter().try_fold(ByteSet::EMPTY, |all, part| Some(all.union(single_byte(part)?))) {
        return set(builder, bytes, next);
    }
    if parts.len() >= LITERALS_OF_TRIE && parts.iter().all(is_literal) {
        return None;
    }
    let starts = parts.iter().map(|part| node(builder, part, next)).collect::<Option<_>>()?;
    builder.add_union(starts).ok()
}

/// Returns the bytes of a part that is one of them.
fn single_byte(part: &Node) -> Option<ByteSet> {
    match part {
        Node::Byte(byte) => Some(ByteSet::EMPTY.with(*byte)),
        Node::Set(CodeSet::Bytes(bytes)) => Some(*bytes),
        _ => None,
    }
}

fn is_literal(part: &Node) -> bool {
    match part {
        Node::Byte(_) => true,
        Node::Concat(parts) => parts.iter().all(|part| matches!(part, Node::Byte(_))),
        _ => false,
    }
}

fn repetition(builder: &mut Builder, Repeat { node: inner, min, max, kind }: &Repeat, next: StateID) -> Option<StateID> {
    let greedy = match kind {
        RepeatKind::Greedy => true,
        RepeatKind::Lazy => false,
        RepeatKind::Possessive => return None,
    };
    // More than one iteration without bytes changes nothing, and would take time.
    let (min, max) = if is_always_empty(inner) { ((*min).min(1), Some(max.map_or(1, |max| max.min(1)))) } else { (*min, *max) };
    let (mut start, copies) = match max {
        Some(max) => {
            let optional = |start, _| {
                let start = node(builder, inner, start)?;
                choice(builder, greedy, start, next)
            };
            ((min..max).try_fold(next, optional)?, min)
        }
        None if min > 0 || !may_be_empty(inner) => {
            let again = choice_to_patch(builder, greedy)?;
            let first = node(builder, inner, again)?;
            complete_choice(builder, again, first, next)?;
            (if min > 0 { first } else { again }, min.saturating_sub(1))
        }
        // If an iteration may be empty, the choice before the first one is not that after it.
        None => {
            let again = choice_to_patch(builder, greedy)?;
            let first = node(builder, inner, again)?;
            complete_choice(builder, again, first, next)?;
            (choice(builder, greedy, first, next)?, 0)
        }
    };
    for _ in 0..copies {
        start = node(builder, inner, start)?;
    }
    Some(start)
}

/// Adds the choice between an iteration and what follows the repetition.
fn choice(builder: &mut Builder, greedy: bool, iteration: StateID, next: StateID) -> Option<StateID> {
    builder.add_union(if greedy { vec![iteration, next] } else { vec![next, iteration] }).ok()
}

/// Adds a choice before its iteration is known.
fn choice_to_patch(builder: &mut Builder, greedy: bool) -> Option<StateID> {
    if greedy { builder.add_union(Vec::with_capacity(2)).ok() } else { builder.add_union_reverse(Vec::with_capacity(2)).ok() }
}

fn complete_choice(builder: &mut Builder, choice: StateID, iteration: StateID, next: StateID) -> Option<()> {
    builder.patch(choice, iteration).ok()?;
    builder.patch(choice, next).ok()
}

/// Returns `true` if every match of a part is empty.
fn is_always_empty(part: &Node) -> bool {
    match part {
        Node::Byte(_) | Node::Set(_) => false,
        Node::Concat(parts) | Node::Alternation(parts) => parts.iter().all(is_always_empty),
        Node::Capture(_, inner) => is_always_empty(inner),
        Node::Repeat(repeat) => repeat.max == Some(0) || is_always_empty(&repeat.node),
        _ => true,
    }
}

/// Returns `true` if a match of a part may be empty.
fn may_be_empty(part: &Node) -> bool {
    match part {
        Node::Byte(_) | Node::Set(_) => false,
        Node::Concat(parts) => parts.iter().all(may_be_empty),
        Node::Alternation(parts) => parts.iter().any(may_be_empty),
        Node::Capture(_, inner) => may_be_empty(inner),
        Node::Repeat(repeat) => repeat.min == 0 || may_be_empty(&repeat.node),
        _ => true,
    }
}

/// Returns `true` if every match begins at the start of the input.
fn begins_at_text_start(part: &Node) -> bool {
    match part {
        Node::Assert(assertion) => *assertion == Assertion::TextStart,
        Node::Concat(parts) => {
            let first = parts.iter().position(|part| !matches!(part, Node::Empty | Node::Assert(_))).unwrap_or(parts.len());
            parts.iter().take(first.saturating_add(1)).any(begins_at_text_start)
        }
        Node::Alternation(parts) => parts.iter().all(begins_at_text_start),
        Node::Capture(_, inner) => begins_at_text_start(inner),
        Node::Repeat(repeat) => repeat.min > 0 && begins_at_text_start(&repeat.node),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::searcher::follow_states;
    use super::super::{lower, parser};
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use regex_automata::Input;
    use regex_automata::nfa::thompson::WhichCaptures;
    use regex_automata::nfa::thompson::pikevm::PikeVM;

    fn syntax(source: &str) -> Option<Syntax> {
        parser::parse(source.as_bytes(), false).ok()
    }

    fn of_hir(syntax: &Syntax) -> NFA {
        let config = NFA::config().utf8(false).which_captures(WhichCaptures::All);
        NFA::compiler().configure(config).build_from_hir(&lower::exact(syntax).unwrap()).unwrap()
    }

    fn slots(nfa: NFA, input: &[u8], count: usize) -> (bool, Vec<Option<usize>>) {
        let (search, mut slots) = (PikeVM::new_from_nfa(nfa).unwrap(), vec![None; 2 * (count + 1)]);
        let found = follow_states(&search, &mut search.create_cache(), &Input::new(input), &mut slots);
        (found, slots.into_iter().map(|slot| slot.map(|slot| slot.get())).collect())
    }

    fn sources() -> impl Strategy<Value = String> {
        const ATOMS: [&str; 15] =
            ["", "a", "b", "ab", "(?i:ab)", "[^a]", "[a-c0-9]", ".", "^", "$", r"\A", r"\z", r"\b", r"\B", r"[^\x00-\xff]"];
        const QUANTIFIERS: [&str; 12] = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}?", "{2,}?", "{3,}", "{0}"];
        select(&ATOMS[..]).prop_map(str::to_owned).prop_recursive(4, 12, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
                vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
                inner.clone().prop_map(|inner| format!("({inner})")),
                (inner, select(&QUANTIFIERS[..])).prop_map(|(inner, quantifier)| format!("(?:{inner}){quantifier}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn both_ways_to_build_an_nfa_find_the_same(source in sources(), input in vec(select(&b"abAB1\n "[..]), 0..8)) {
            let syntax = syntax(&source).unwrap();
            let (built, of_hir) = (build(&syntax).unwrap(), of_hir(&syntax));
            prop_assert!(of_hir.is_always_start_anchored() || !built.is_always_start_anchored());
            prop_assert_eq!(slots(built, &input, syntax.groups), slots(of_hir, &input, syntax.groups));
        }
    }

    #[test]
    fn repetitions_of_nothing_take_no_time() {
        let nothing = (0..6).fold(String::from("(?:a{0}|^)"), |pattern, _| format!("(?:{pattern}){{9000}}"));
        assert!(build(&syntax(&nothing).unwrap()).unwrap().states().len() < 20);
    }

    #[test]
    fn characters_and_long_lists_are_left_to_the_library() {
        assert!(build(&syntax("(*UTF)[äö]").unwrap()).is_none());
        assert!(build(&syntax("aa|bb|cc|dd|ee|ff|gg|hh").unwrap()).is_none());
        assert!(build(&syntax("(?i)aa|bb|cc|dd|ee|ff|gg|hh").unwrap()).is_some());
    }
}

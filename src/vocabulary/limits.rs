//! The limits of a transaction and of rules: the directive that sets each, its default, and what happens beyond it.

use super::Directive;

macro_rules! limits {
    ($($variant:ident $name:literal $origin:ident $directive:ident $default:expr, $beyond:literal)+) => {
        /// A limit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Limit {
            $(#[doc = concat!("`", stringify!($directive), "`: beyond it ", $beyond, ".")] $variant,)+
        }

        impl Limit {
            /// All limits, in the order of the table.
            pub const ALL: &'static [Limit] = &[$(Limit::$variant,)+];

            /// Returns its key in LIMITS_EXCEEDED.
            pub fn name(self) -> &'static str {
                match self {
                    $(Limit::$variant => $name,)+
                }
            }

            /// Returns the directive that sets it.
            #[doc(hidden)]
            pub fn directive(self) -> Directive {
                match self {
                    $(Limit::$variant => Directive::$directive,)+
                }
            }

            /// Returns its default; `None` for no limit.
            #[doc(hidden)]
            pub fn default(self) -> Option<usize> {
                match self {
                    $(Limit::$variant => $default,)+
                }
            }

            /// Returns what happens beyond it, in words.
            pub fn beyond(self) -> &'static str {
                match self {
                    $(Limit::$variant => $beyond,)+
                }
            }

            /// Returns `true` if ModSecurity v3 has it too, with flags of its own.
            #[doc(hidden)]
            pub fn is_inherited(self) -> bool {
                match self {
                    $(Limit::$variant => matches!(Origin::$origin, Origin::Inherited),)+
                }
            }
        }
    };
}

/// Origin of a limit.
enum Origin {
    /// ModSecurity v3.
    Inherited,
    /// This engine.
    Own,
}

limits! {
    RequestBody "request_body" Inherited SecRequestBodyLimit None, "the body is cut, and SecRequestBodyLimitAction decides"
    RequestBodyNoFiles "request_body_no_files" Inherited SecRequestBodyNoFilesLimit None, "the body is not read"
    ResponseBody "response_body" Inherited SecResponseBodyLimit None, "the body is cut, and SecResponseBodyLimitAction decides"
    Headers "headers" Own SecHeadersLimit Some(10_000), "headers are left out"
    HeaderBytes "header_bytes" Own SecHeaderBytesLimit Some(1 << 20), "headers are left out"
    Cookies "cookies" Own SecCookiesLimit Some(10_000), "cookies are left out"
    Arguments "arguments" Inherited SecArgumentsLimit Some(100_000), "arguments are left out, and JSON is read no further"
    ArgumentBytes "argument_bytes" Own SecArgumentBytesLimit Some(16 << 20), "arguments are left out, and JSON is read no further"
    JsonDepth "json_depth" Inherited SecRequestBodyJsonDepthLimit Some(512), "the body is read no further"
    JsonNodes "json_nodes" Own SecRequestBodyJsonNodesLimit Some(1_000_000), "the body is read no further"
    XmlDepth "xml_depth" Own SecRequestBodyXmlDepthLimit Some(256), "the body is not read"
    XmlNodes "xml_nodes" Own SecRequestBodyXmlNodesLimit Some(250_000), "the body is not read"
    XmlAttributes "xml_attributes" Own SecRequestBodyXmlAttributesLimit Some(512), "the body is not read"
    XmlEntities "xml_entities" Own SecRequestBodyXmlEntityLimit Some(64 << 10), "the body is not read"
    XPath "xpath" Own SecXPathLimit Some(2_000_000), "the expression selects nothing"
    MultipartParts "multipart_parts" Own SecMultipartPartsLimit Some(10_000), "the body is read no further"
    MultipartHeaders "multipart_headers" Own SecMultipartHeadersLimit Some(256), "the body is read no further"
    MultipartHeaderBytes "multipart_header_bytes" Own SecMultipartHeaderBytesLimit Some(4096), "the body is read no further"
    Files "files" Inherited SecUploadFileLimit None, "the body counts as broken, and its files are listed"
    Captures "captures" Own SecCapturesLimit Some(1_000), "captures of the match are left out"
    Matches "matches" Own SecMatchesLimit Some(5_000), "further matches are not logged"
    PatternSteps "pattern_steps" Inherited SecPcreMatchLimit Some(1_000_000), "the pattern does not match"
    MacroBytes "macro_bytes" Own SecMacroLimit Some(1 << 20), "the text is cut"
    MacroDepth "macro_depth" Own SecMacroDepthLimit Some(1), "the macro expands to nothing"
    Transformation "transformation" Own SecTransformationLimit Some(64 << 20), "a value that grew is cut"
    LuaInstructions "lua_instructions" Own SecLuaInstructionLimit Some(10_000_000), "the script is stopped and does not match"
    LuaTime "lua_time" Own SecLuaTimeLimit Some(250), "the script is stopped and does not match"
    LuaMemory "lua_memory" Own SecLuaMemoryLimit Some(64 << 20), "the script is stopped and does not match"
    StoreCall "store_call" Own SecStoreCallLimit Some(50), "the store does not answer, and SecCollectionFailure decides"
    StoreTime "store_time" Own SecStoreTimeLimit Some(1_000), "persistent collections are empty and are not written"
    StoreBytes "store_bytes" Own SecStoreBytesLimit Some(64 << 20), "a value is not kept in its record"
    StoreVariables "store_variables" Own SecStoreVariablesLimit Some(1_000), "a new variable is not kept in its record"
    Memory "memory" Own SecTransactionMemoryLimit Some(128 << 20), "no rule is evaluated, and SecTransactionBudget decides"
    Budget "budget" Own SecTransactionBudget Some(2_000_000_000), "no rule is evaluated, and its second word decides"
    ChainLength "chain_length" Own SecChainLimit Some(100), "the rules are refused at load"
    Skip "skip" Own SecSkipLimit Some(10_000), "the rules are refused at load"
}

impl Limit {
    /// Returns the maximum value of its directive: more would overflow the stack of a thread.
    #[doc(hidden)]
    pub fn max_setting(self) -> usize {
        match self {
            Limit::XmlDepth => 512,
            Limit::MacroDepth => 16,
            _ => usize::MAX,
        }
    }

    /// Returns the limit that a directive sets, if any.
    #[doc(hidden)]
    pub fn of(directive: Directive) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.directive() == directive)
    }
}

/// A set of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitSet(u64);

impl LimitSet {
    /// The empty set.
    pub const EMPTY: LimitSet = LimitSet(0);

    /// Adds a limit.
    #[inline]
    pub fn insert(&mut self, limit: Limit) {
        self.0 |= 1 << limit as u32;
    }

    /// Returns `true` if the set contains a limit.
    pub fn contains(self, limit: Limit) -> bool {
        self.0 & 1 << limit as u32 != 0
    }

    /// Returns this set without `others`.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Returns the limits in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Limit> {
        Limit::ALL.iter().copied().filter(move |limit| self.contains(*limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_name_and_a_directive_of_its_own() {
        let mut names: Vec<_> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Limit::ALL.len());
        assert!(Limit::ALL.iter().all(|limit| Limit::of(limit.directive()) == Some(*limit)));
        assert!(Limit::ALL.len() <= u64::BITS as usize);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = LimitSet::EMPTY;
        set.insert(Limit::Skip);
        set.insert(Limit::Headers);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Limit::Headers, Limit::Skip]);
        let mut others = LimitSet::EMPTY;
        others.insert(Limit::Skip);
        assert_eq!(set.without(others).iter().collect::<Vec<_>>(), [Limit::Headers]);
    }
}

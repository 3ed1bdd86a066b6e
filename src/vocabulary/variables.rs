//! The variables of the language.

use super::Support;
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// Shape of a variable's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    Scalar,
    /// Named values, of which a selector selects some.
    Collection,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct VariableEntry {
    /// The variable; `None` for names that are refused.
    pub variable: Option<Variable>,
    /// Its name in upper case.
    pub name: &'static str,
    /// One value or many.
    pub shape: Shape,
    /// Support in this engine.
    pub support: Support,
    /// Its content.
    pub doc: &'static str,
}

macro_rules! variables {
    ($($variant:ident $name:literal $shape:ident $doc:literal)+) => {
        /// A supported variable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Variable {
            $(#[doc = $doc] $variant,)+
        }

        impl Variable {
            /// Returns its name in upper case.
            pub fn name(self) -> &'static str {
                match self {
                    $(Variable::$variant => $name,)+
                }
            }

            /// Returns its shape.
            pub fn shape(self) -> Shape {
                match self {
                    $(Variable::$variant => Shape::$shape,)+
                }
            }

            /// Returns every row of the table: supported names, then aliases, then refused names.
            pub fn table() -> impl Iterator<Item = VariableEntry> {
                let works = [$(VariableEntry {
                    variable: Some(Variable::$variant),
                    name: $name,
                    shape: Shape::$shape,
                    support: Support::Works,
                    doc: $doc,
                },)+];
                let aliases = ALIASES.iter().map(|(name, variable)| VariableEntry {
                    variable: Some(*variable),
                    name,
                    shape: variable.shape(),
                    support: Support::Works,
                    doc: "another name",
                });
                let refused = REFUSED.iter().map(|(name, why)| VariableEntry {
                    variable: None,
                    name,
                    shape: Shape::Scalar,
                    support: Support::Refused(why),
                    doc: "",
                });
                works.into_iter().chain(aliases).chain(refused)
            }
        }
    };
}

variables! {
    Args "ARGS" Collection "Arguments of the query and the body, JSON included."
    ArgsCombinedSize "ARGS_COMBINED_SIZE" Scalar "The lengths of all argument names and values, added up, printed with six decimals."
    ArgsGet "ARGS_GET" Collection "Arguments of the query."
    ArgsGetNames "ARGS_GET_NAMES" Collection "Names of the arguments of the query."
    ArgsNames "ARGS_NAMES" Collection "Names of all arguments."
    ArgsPost "ARGS_POST" Collection "Arguments of a form in the body."
    ArgsPostNames "ARGS_POST_NAMES" Collection "Names of the arguments of a form in the body."
    AuthType "AUTH_TYPE" Scalar "The first word of the Authorization header."
    Duration "DURATION" Scalar "Time since the transaction began, in seconds with six decimals."
    Env "ENV" Collection "The environment of the process, and variables of setenv."
    Files "FILES" Collection "Names that the client gave to uploaded files."
    FilesCombinedSize "FILES_COMBINED_SIZE" Scalar "The sizes of all uploaded files, added up, in bytes."
    FilesNames "FILES_NAMES" Collection "Names of the form fields that hold files."
    FilesSizes "FILES_SIZES" Collection "Sizes of uploaded files in bytes."
    FilesTmpContent "FILES_TMP_CONTENT" Collection "Contents of uploaded files, where they are kept."
    FilesTmpNames "FILES_TMPNAMES" Collection "Paths under which uploaded files are kept."
    FullRequest "FULL_REQUEST" Scalar "Request headers and body; as in ModSecurity v3 without the request line."
    FullRequestLength "FULL_REQUEST_LENGTH" Scalar "The length of FULL_REQUEST in bytes."
    Geo "GEO" Collection "The result of the last @geoLookup."
    Global "GLOBAL" Collection "Variables shared by all requests."
    HighestSeverity "HIGHEST_SEVERITY" Scalar "The gravest severity of the rules that matched, as a number; 255 for none."
    InboundDataError "INBOUND_DATA_ERROR" Scalar "1 when the request body was larger than its limit."
    Ip "IP" Collection "Variables kept per client address."
    LimitsExceeded "LIMITS_EXCEEDED" Collection "The limits that were exceeded, by name: 1 for each."
    MatchedVar "MATCHED_VAR" Scalar "The value that matched last."
    MatchedVarName "MATCHED_VAR_NAME" Scalar "The name of the value that matched last."
    MatchedVars "MATCHED_VARS" Collection "All values that matched in this rule or chain."
    MatchedVarsNames "MATCHED_VARS_NAMES" Collection "Names of all values that matched in this rule or chain."
    ModsecBuild "MODSEC_BUILD" Scalar "The version of the engine as nine digits."
    MscPcreError "MSC_PCRE_ERROR" Scalar "1 when a pattern could not be run to its end."
    MscPcreLimitsExceeded "MSC_PCRE_LIMITS_EXCEEDED" Scalar "1 when a pattern hit the match limit."
    MultipartBoundaryQuoted "MULTIPART_BOUNDARY_QUOTED" Scalar "1 when the boundary was quoted."
    MultipartBoundaryWhitespace "MULTIPART_BOUNDARY_WHITESPACE" Scalar "1 when there were blanks around the boundary."
    MultipartCrlfLfLines "MULTIPART_CRLF_LF_LINES" Scalar "1 when line ends were mixed."
    MultipartDataAfter "MULTIPART_DATA_AFTER" Scalar "1 when bytes followed the last boundary."
    MultipartDataBefore "MULTIPART_DATA_BEFORE" Scalar "1 when bytes stood before the first boundary."
    MultipartFileLimitExceeded "MULTIPART_FILE_LIMIT_EXCEEDED" Scalar "1 when there were more files than SecUploadFileLimit."
    MultipartFilename "MULTIPART_FILENAME" Collection "File names of the parts, by field name."
    MultipartHeaderFolding "MULTIPART_HEADER_FOLDING" Scalar "1 when a part header went on in the next line."
    MultipartInvalidHeaderFolding "MULTIPART_INVALID_HEADER_FOLDING" Scalar "1 when a part header was folded with an odd blank."
    MultipartInvalidPart "MULTIPART_INVALID_PART" Scalar "1 when a part could not be used."
    MultipartInvalidQuoting "MULTIPART_INVALID_QUOTING" Scalar "1 when a part header was quoted wrongly."
    MultipartLfLine "MULTIPART_LF_LINE" Scalar "1 when a line ended with LF alone."
    MultipartMissingSemicolon "MULTIPART_MISSING_SEMICOLON" Scalar "1 when parameters were not separated by a semicolon."
    MultipartName "MULTIPART_NAME" Collection "Names of the parts that hold files."
    MultipartPartHeaders "MULTIPART_PART_HEADERS" Collection "Header lines of the parts, by field name."
    MultipartStrictError "MULTIPART_STRICT_ERROR" Scalar "1 when any multipart flag is set."
    MultipartUnmatchedBoundary "MULTIPART_UNMATCHED_BOUNDARY" Scalar "1 when a line looked like a boundary and was not one."
    OutboundDataError "OUTBOUND_DATA_ERROR" Scalar "1 when the response body was larger than its limit."
    PathInfo "PATH_INFO" Scalar "The same as REQUEST_FILENAME."
    QueryString "QUERY_STRING" Scalar "The part after the question mark, as received."
    RemoteAddr "REMOTE_ADDR" Scalar "The client's address."
    RemoteHost "REMOTE_HOST" Scalar "The client's address: names are not looked up."
    RemotePort "REMOTE_PORT" Scalar "The client's port."
    RemoteUser "REMOTE_USER" Scalar "The user of a Basic Authorization header."
    ReqbodyError "REQBODY_ERROR" Scalar "1 when the request body could not be read."
    ReqbodyErrorMsg "REQBODY_ERROR_MSG" Scalar "Why the request body could not be read."
    ReqbodyProcessor "REQBODY_PROCESSOR" Scalar "The parser of the request body: URLENCODED, MULTIPART, JSON or XML."
    ReqbodyProcessorError "REQBODY_PROCESSOR_ERROR" Scalar "1 when the parser of the request body failed."
    ReqbodyProcessorErrorMsg "REQBODY_PROCESSOR_ERROR_MSG" Scalar "Why the parser of the request body failed."
    RequestBasename "REQUEST_BASENAME" Scalar "The last part of REQUEST_FILENAME."
    RequestBody "REQUEST_BODY" Scalar "The request body as received."
    RequestBodyLength "REQUEST_BODY_LENGTH" Scalar "The length of the request body in bytes."
    RequestCookies "REQUEST_COOKIES" Collection "Cookies of the request."
    RequestCookiesNames "REQUEST_COOKIES_NAMES" Collection "Names of the cookies of the request."
    RequestFilename "REQUEST_FILENAME" Scalar "The path, decoded."
    RequestHeaders "REQUEST_HEADERS" Collection "Headers of the request."
    RequestHeadersNames "REQUEST_HEADERS_NAMES" Collection "Names of the headers of the request."
    RequestLine "REQUEST_LINE" Scalar "The first line of the request."
    RequestMethod "REQUEST_METHOD" Scalar "The method."
    RequestProtocol "REQUEST_PROTOCOL" Scalar "The protocol with its version, such as HTTP/1.1."
    RequestUri "REQUEST_URI" Scalar "Path and query, decoded."
    RequestUriRaw "REQUEST_URI_RAW" Scalar "The request target as received."
    Resource "RESOURCE" Collection "Variables kept per resource."
    ResponseBody "RESPONSE_BODY" Scalar "The response body."
    ResponseContentLength "RESPONSE_CONTENT_LENGTH" Scalar "The length of the response body in bytes."
    ResponseContentType "RESPONSE_CONTENT_TYPE" Scalar "The media type of the response, without parameters."
    ResponseHeaders "RESPONSE_HEADERS" Collection "Headers of the response."
    ResponseHeadersNames "RESPONSE_HEADERS_NAMES" Collection "Names of the headers of the response."
    ResponseProtocol "RESPONSE_PROTOCOL" Scalar "The protocol of the response."
    ResponseStatus "RESPONSE_STATUS" Scalar "The status of the response."
    Rule "RULE" Collection "id, rev, severity, logdata and msg of the rule itself."
    ServerAddr "SERVER_ADDR" Scalar "The server's address."
    ServerName "SERVER_NAME" Scalar "The host that the request names."
    ServerPort "SERVER_PORT" Scalar "The server's port."
    Session "SESSION" Collection "Variables kept per session."
    SessionId "SESSIONID" Scalar "The value of setsid."
    Time "TIME" Scalar "Local time as HH:MM:SS."
    TimeDay "TIME_DAY" Scalar "Day of the month, 1 to 31."
    TimeEpoch "TIME_EPOCH" Scalar "Seconds since 1970."
    TimeHour "TIME_HOUR" Scalar "Hour, 0 to 23."
    TimeMin "TIME_MIN" Scalar "Minute, 0 to 59."
    TimeMon "TIME_MON" Scalar "Month, 0 to 11."
    TimeSec "TIME_SEC" Scalar "Second, 0 to 59."
    TimeWday "TIME_WDAY" Scalar "Day of the week, 1 (Monday) to 7."
    TimeYear "TIME_YEAR" Scalar "Year, four digits."
    Tx "TX" Collection "Variables of this transaction."
    UniqueId "UNIQUE_ID" Scalar "The id of the transaction."
    UrlencodedError "URLENCODED_ERROR" Scalar "1 when an argument held an invalid % escape."
    User "USER" Collection "Variables kept per user."
    UserId "USERID" Scalar "The value of setuid."
    WebAppId "WEBAPPID" Scalar "The value of SecWebAppId."
    Xml "XML" Collection "Nodes of an XML body that an XPath selects."
}

const ALIASES: &[(&str, Variable)] = &[
    ("STATUS", Variable::ResponseStatus),
    ("STATUS_LINE", Variable::ResponseStatus),
    ("MULTIPART_SEMICOLON_MISSING", Variable::MultipartMissingSemicolon),
];

const REFUSED: &[(&str, &str)] = &[
    ("WEBSERVER_ERROR_LOG", "the web server's own messages are not seen by the engine"),
    ("STREAM_INPUT_BODY", "use REQUEST_BODY"),
    ("STREAM_OUTPUT_BODY", "use RESPONSE_BODY"),
    ("PERF_ALL", "use `secrule profile`"),
    ("PERF_COMBINED", "use `secrule profile`"),
    ("PERF_RULES", "use `secrule profile`"),
    ("SCRIPT_BASENAME", "the engine does not know the web server's files; use REQUEST_BASENAME"),
    ("SCRIPT_FILENAME", "the engine does not know the web server's files; use REQUEST_FILENAME"),
    ("SCRIPT_GID", "the engine does not know the web server's files"),
    ("SCRIPT_GROUPNAME", "the engine does not know the web server's files"),
    ("SCRIPT_MODE", "the engine does not know the web server's files"),
    ("SCRIPT_UID", "the engine does not know the web server's files"),
    ("SCRIPT_USERNAME", "the engine does not know the web server's files"),
    ("USERAGENT_IP", "use REMOTE_ADDR"),
    ("MULTIPART_CRLF_LINE", "use MULTIPART_CRLF_LF_LINES"),
    ("ARGS_PATH", "it is Coraza's; use REQUEST_FILENAME"),
    ("RESPONSE_ARGS", "it is Coraza's; use RESPONSE_BODY"),
    ("REQUEST_XML", "use XML"),
    ("RESPONSE_XML", "response bodies are not parsed; use RESPONSE_BODY"),
    ("JSON", "JSON values are in ARGS, named json.…"),
];

/// Length of the longest name, in bytes.
const LONGEST_NAME: usize = 48;

impl Variable {
    /// Returns the row with this name, ignoring case.
    pub fn find(name: &str) -> Option<VariableEntry> {
        static BY_NAME: LazyLock<FxHashMap<&str, VariableEntry>> =
            LazyLock::new(|| Variable::table().map(|entry| (entry.name, entry)).collect());
        let mut upper = [0; LONGEST_NAME];
        let upper = upper.get_mut(..name.len())?;
        upper.copy_from_slice(name.as_bytes());
        upper.make_ascii_uppercase();
        BY_NAME.get(std::str::from_utf8(upper).ok()?).copied()
    }

    /// Returns `true` if rules can write to it with `setvar`.
    pub fn is_writable(self) -> bool {
        self == Variable::Tx || self.is_persistent()
    }

    /// Returns `true` if no rule can change its values while a phase runs.
    pub fn is_stable(self) -> bool {
        !self.is_writable()
            && !matches!(
                self,
                Self::Duration
                    | Self::Env
                    | Self::Geo
                    | Self::HighestSeverity
                    | Self::LimitsExceeded
                    | Self::MatchedVar
                    | Self::MatchedVarName
                    | Self::MatchedVars
                    | Self::MatchedVarsNames
                    | Self::MscPcreError
                    | Self::MscPcreLimitsExceeded
                    | Self::ReqbodyProcessor
                    | Self::Rule
                    | Self::SessionId
                    | Self::Time
                    | Self::TimeDay
                    | Self::TimeEpoch
                    | Self::TimeHour
                    | Self::TimeMin
                    | Self::TimeMon
                    | Self::TimeSec
                    | Self::TimeWday
                    | Self::TimeYear
                    | Self::UserId
            )
    }

    /// Returns `true` if it flags something odd in a multipart body.
    pub fn is_multipart_flag(self) -> bool {
        matches!(
            self,
            Variable::MultipartBoundaryQuoted
                | Variable::MultipartBoundaryWhitespace
                | Variable::MultipartCrlfLfLines
                | Variable::MultipartDataAfter
                | Variable::MultipartDataBefore
                | Variable::MultipartFileLimitExceeded
                | Variable::MultipartHeaderFolding
                | Variable::MultipartInvalidHeaderFolding
                | Variable::MultipartInvalidPart
                | Variable::MultipartInvalidQuoting
                | Variable::MultipartLfLine
                | Variable::MultipartMissingSemicolon
                | Variable::MultipartStrictError
                | Variable::MultipartUnmatchedBoundary
        )
    }

    /// Returns `true` if its values outlive the transaction.
    pub fn is_persistent(self) -> bool {
        matches!(self, Variable::Global | Variable::Ip | Variable::Resource | Variable::Session | Variable::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Variable::find("args").unwrap().variable, Some(Variable::Args));
        assert_eq!(Variable::find("Status_Line").unwrap().variable, Some(Variable::ResponseStatus));
        assert!(matches!(Variable::find("STREAM_INPUT_BODY").unwrap().support, Support::Refused(_)));
        assert!(Variable::find("ARG").is_none());
        assert!(Variable::table().all(|entry| Variable::find(&entry.name.to_ascii_lowercase()).is_some()));
    }

    #[test]
    fn no_name_stands_twice() {
        let mut names: Vec<_> = Variable::table().map(|entry| entry.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

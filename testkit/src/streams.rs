//! Rules for exchanges whose bodies stream.

/// Rules of all phases, with short limits of what they see. No rule looks at responses that are not text.
pub const STREAM_RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 131072
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html
SecResponseBodyLimit 131072
SecResponseBodyLimitAction ProcessPartial
SecRule ARGS|REQUEST_BODY "@contains attack" "id:1,phase:2,deny,log"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:2,phase:3,deny,log"
SecRule RESPONSE_BODY "@contains password" "id:3,phase:4,deny,log"
"#;

use super::Transformation::{self, *};
use super::{Effect, UnicodeMap};
use proptest::prelude::*;

fn transformed(transformation: Transformation, input: &[u8]) -> (Vec<u8>, Effect) {
    let mut output = b"left over".to_vec();
    let effect = transformation.apply(input, &mut output, None);
    if effect.rewritten {
        return (output, effect);
    }
    assert!(output.is_empty(), "{} leaves something in the buffer", transformation.name());
    (input.to_vec(), effect)
}

/// Checks pairs of an input and its value after the transformation.
#[track_caller]
fn check<const N: usize>(transformation: Transformation, cases: [(&[u8], &[u8]); N]) {
    for (input, expected) in cases {
        let (value, effect) = transformed(transformation, input);
        assert_eq!(value.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", transformation.name());
        assert_eq!(effect.rewritten, input != expected);
    }
}

#[test]
fn base64_is_strict_or_forgiving() {
    check(
        Base64Decode,
        [
            (b"c2VsZWN0", b"select"),
            (b"c2Vs\r\nZWN0", b"select"),
            (b"c2VsZQ==", b"sele"),
            (b"c2VsZQ", b"sel"),
            (b"c2Vs\0ZWN0", b"sel"),
            (b"c2V*ZWN0", b""),
            (b"c2=sZWN0", b""),
        ],
    );
    check(
        Base64DecodeExt,
        [(b"c2V*sZW N0", b"select"), (b"c2VsZQ", b"sele"), (b"-_8=", b"\xfb\xff"), (b"c2Vsc=", b""), (b"c2Vs9", b"sel")],
    );
    check(Base64Encode, [(b"sele\0", b"c2VsZQA="), (b"", b"")]);
}

#[test]
fn hexadecimal_is_decoded_even_where_it_is_garbage() {
    check(HexDecode, [(b"6f4B", b"oK"), (b"6f4", b"o"), (b"zz", b"\x53")]);
    check(HexEncode, [(b"\x00oK\xff", b"006f4bff")]);
    check(SqlHexDecode, [(b"id=0x27206f72", b"id=' or"), (b"0X4a4", b"J4"), (b"0xg1 00x41", b"0xg1 0A"), (b"plain", b"plain")]);
}

#[test]
fn url_escapes_are_decoded_once() {
    check(UrlDecode, [(b"a%2Bb+c", b"a+b c"), (b"%2541", b"%41"), (b"%u0041%4", b"%u0041%4"), (b"%%41", b"%A")]);
    check(
        UrlDecodeUni,
        [(b"%u003cscript%U003E", b"<script>"), (b"%uff1cb%uff5E", b"<b~"), (b"%uff5f%u0134", b"_4"), (b"%u00g1%41%u004", b"%u00g1A%u004")],
    );
    check(UrlEncode, [(b"a b*c/\xe9", b"a+b*c%2f%e9"), (b"Plain9*", b"Plain9*")]);
}

#[test]
fn a_code_page_decides_what_a_character_becomes() {
    let cyrillic = UnicodeMap::parse(b"1251 0441:63 0443:79", 1251).unwrap();
    let mut output = Vec::new();
    let effect = UrlDecodeUni.apply(b"%u0441%u0443%uff41%u0142", &mut output, Some(&cyrillic));
    assert!(effect.rewritten);
    assert_eq!(output, b"cyaB");
}

#[test]
fn html_entities_need_their_exact_name() {
    check(
        HtmlEntityDecode,
        [
            (b"&lt;b&GT&amp;#60;", b"<b>&#60;"),
            (b"&#0000060;&#x3C&#X00003d;", b"<<="),
            (b"&ltx;&quote&nbsp;", b"&ltx;&quote\xa0"),
            (b"&#;&#x;&&;&", b"&#;&#x;&&;&"),
        ],
    );
}

#[test]
fn javascript_escapes() {
    check(JsDecode, [(br"\u0061\uFF1c\x3E", b"a<>"), (br"\101\777\8\q\n", b"A?78q\n"), (br"\u00g1\x4", b"u00g1x4"), (br"end\", br"end\")]);
}

#[test]
fn escape_sequences_of_c() {
    check(EscapeSeqDecode, [(br"\x41\X42\103\t\\", b"ABC\t\\"), (br"\501\xg1\?\e", b"Axg1?e"), (br"end\", br"end\")]);
}

#[test]
fn css_escapes() {
    check(
        CssDecode,
        [(br"\65 xpre\73sion(", b"expression("), (br"\00ff1cb\ff1C \1ff1c", b"<b<\x1c"), (b"ex\\\npr\\ession\\", b"expr\x0ession")],
    );
}

#[test]
fn letters_change_case_in_ascii_only() {
    check(Lowercase, [("SÉlecT".as_bytes(), "sÉlect".as_bytes()), (b"lower", b"lower")]);
    check(Uppercase, [("sélecT".as_bytes(), "SéLECT".as_bytes()), (b"UPPER", b"UPPER")]);
}

#[test]
fn white_space() {
    check(Trim, [(b" \x0b a b\r\n", b"a b"), (b" \t ", b""), (b"a b", b"a b")]);
    check(TrimLeft, [(b"\ta ", b"a ")]);
    check(TrimRight, [(b" a\x0c", b" a")]);
    check(
        CompressWhitespace,
        [(b"a \t b\nc", b"a b c"), (b"\xa0a\xa0 \xc2\xa0\xa0b\xa0", b" a b "), ("à la".as_bytes(), "à la".as_bytes())],
    );
    check(RemoveWhitespace, [(b"a\xc2\xa0b c\x0b", b"abc"), (b"abc", b"abc")]);
}

#[test]
fn nulls() {
    check(RemoveNulls, [(b"\0un\0\0ion\0", b"union"), (b"union", b"union")]);
    check(ReplaceNulls, [(b"un\0ion\0", b"un ion ")]);
}

#[test]
fn comments_are_removed_and_one_that_ends_the_value_leaves_a_nul() {
    check(
        RemoveComments,
        [
            (b"un/**/ion/* end */", b"union\0"),
            (b"a<!-- b -->c", b"ac"),
            (b"a/* b --> c", b"a c"),
            (b"a/* b", b"a "),
            (b"a -- b", b"a "),
            (b"a# b", b"a"),
            (b"/*a*//*b*/", b"/*b*/"),
            (b"4/2 - 1", b"4/2 - 1"),
        ],
    );
    check(ReplaceComments, [(b"un/**/ion/*", b"un ion "), (b"/*/ a*/b", b" b"), (b"a -- */ b", b"a -- */ b")]);
    check(RemoveCommentsChar, [(b"a/*b*/c--d#e<!--f-->g", b"abcdefg"), (b"-<!-/", b"-<!-/")]);
}

#[test]
fn paths_lose_what_leads_nowhere() {
    check(
        NormalisePath,
        [
            (b"/var//www/./html/../index", b"/var/www/index"),
            (b"/../../etc/passwd", b"/etc/passwd"),
            (b"a/../../b", b"../b"),
            (b"a/b/.", b"a/b"),
            (b"a/b/..", b"a"),
            (b"./", b""),
            (b"/srv/a.b/c", b"/srv/a.b/c"),
            (br"a\..\b", br"a\..\b"),
        ],
    );
    check(NormalisePathWin, [(br"\Windows\.\System32\..\win.ini", b"/Windows/win.ini"), (br"a\\\\b/\/c", b"a/b/c"), (b"a/b", b"a/b")]);
}

#[test]
fn commands_lose_their_disguise() {
    check(CmdLine, [(br#"C^M"d" /C,, "D'iR'"#, b"cmd/c dir"), (b"cat \t /etc ; ls (x)", b"cat/etc ls(x)"), (b"ls -la", b"ls -la")]);
}

#[test]
fn characters_beyond_ascii_become_percent_u() {
    check(
        Utf8ToUnicode,
        [
            ("né €😀".as_bytes(), b"n%u00e9 %u20ac%u1f600"),
            (b"over\xc0\xafflow", b"over%u002f\xc0flow"),
            (b"cut\xe2\x82, stray\xa9\xff, nul\0", b"cut\xe2\x82, stray\xa9\xff, nul\0"),
            (b"end\xf5\x80\xc3", b"end\xf5\x80\xc3"),
            (b"ascii", b"ascii"),
        ],
    );
}

#[test]
fn php_rewrites_names_of_arguments() {
    check(
        PhpArgsNames,
        [
            (b"  user.name x", b"user_name_x"),
            (b"list[a.b][ ][c]rest", b"list[a.b][][c]"),
            (b"list[a.b", b"list_a.b"),
            (b"a.b[1][2", b"a_b[1]"),
            (b"[0]", b""),
            (b"plain]", b"plain]"),
        ],
    );
}

#[test]
fn digests_and_length_replace_the_value() {
    assert_eq!(transformed(Md5, b"").0, b"\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e");
    assert_eq!(transformed(Sha1, b"").0.len(), 20);
    check(Length, [(b"four", b"4"), (b"", b"0"), (b"1", b"1")]);
}

#[test]
fn parity_takes_the_high_bit() {
    check(ParityEven7bit, [(b"ab", b"\xe1\xe2"), (b"c", b"c")]);
    check(ParityOdd7bit, [(b"abc", b"ab\xe3")]);
    check(ParityZero7bit, [(b"\xe1b", b"ab")]);
}

#[test]
fn any_real_change_counts_for_multi_match() {
    for (transformation, input) in
        [(CmdLine, b"LS".as_slice()), (CompressWhitespace, b"a\tb"), (CssDecode, br"a\z"), (Utf8ToUnicode, b"\xc3\xa9")]
    {
        let (_, effect) = transformed(transformation, input);
        assert_eq!(effect, Effect { rewritten: true, counted: true }, "{}", transformation.name());
    }
}

#[test]
fn some_steps_count_even_when_the_value_stays_the_same() {
    assert_eq!(transformed(Length, b"1").1, Effect { rewritten: false, counted: true });
    assert_eq!(transformed(ParityZero7bit, b"a").1, Effect { rewritten: false, counted: true });
    assert_eq!(transformed(HexEncode, b"").1, Effect { rewritten: false, counted: false });
    assert_eq!(transformed(UrlDecode, b"%zz").1, Effect { rewritten: false, counted: false });
}

#[test]
fn every_transformation_takes_any_byte_at_any_place() {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let fragments: [&[u8]; 6] = [b"\\u", b"%u", b"&#x", b"/*", b"[", b"0x"];
    for &transformation in Transformation::ALL {
        for start in 0..every_byte.len() {
            transformed(transformation, &every_byte[start..]);
            for fragment in fragments {
                transformed(transformation, &[fragment, &every_byte[start..=start], fragment].concat());
            }
        }
    }
}

proptest! {
    #[test]
    fn a_value_may_come_in_pieces(pieces in proptest::collection::vec("([%&#;+xXuU\\\\0-9a-fA-F \0]|[lL][tT]|quot|amp|nbsp|[\u{80}-\u{ff}]){0,12}", 1..6)) {
        let whole = pieces.concat();
        for &transformation in Transformation::ALL {
            let (mut waiting, mut output, mut part) = (Vec::new(), Vec::new(), Vec::new());
            for piece in &pieces {
                waiting.extend_from_slice(piece.as_bytes());
                let Some(length) = transformation.apply_to_beginning(&waiting, &mut output, None) else { break };
                waiting.drain(..length);
            }
            if transformation.apply_to_beginning(b"", &mut Vec::new(), None).is_some() {
                let effect = transformation.apply(&waiting, &mut part, None);
                output.extend_from_slice(if effect.rewritten { &part } else { &waiting });
                prop_assert_eq!(&output, &transformed(transformation, whole.as_bytes()).0, "{}", transformation.name());
            }
        }
    }
}

//! Time grows as the request does: a request of many times the size takes no more for a byte or an argument, and what is made to be hard for
//! patterns takes little more than as many harmless bytes.
//!
//! `cargo bench --bench linear [-- PART_OF_A_NAME]`. With the CRS and the benchmark's settings; where these refuse a size, the limit is raised.
//! Each figure is the shortest of several runs. Every verdict is asserted before anything is measured.

use secrule::Waf;
use secrule_testkit::corpus::{self, Case};
use std::time::Instant;

/// How often each request is measured, at most, and for how many seconds.
const ROUNDS: usize = 25;
const SECONDS: f64 = 2.0;

/// The most that a unit may cost compared with the smallest size.
const MAX_GROWTH: f64 = 1.2;

/// The most that bad input may cost compared with as many harmless bytes.
const MAX_HARM: f64 = 5.0;

/// The most that what is large may cost: each of its bytes is a token for `@detectSQLi`, and begins what patterns look for.
const MAX_LARGE_HARM: f64 = 10.0;

/// How long bad input is.
const BAD_LENGTH: usize = 100_000;

/// How long what is large is.
const LARGE_LENGTH: usize = 1_000_000;

/// What is repeated to be large.
const LARGE: [&str; 8] = ["%", "&#", "&", "/*", "(", "<a href=", "' or 1=(", "@@"];

/// How long each name of a file is in which bad input is sent: longer lines of a part are refused.
const NAME_LENGTH: usize = 1000;

/// Limits that the sizes measured here go beyond, and thresholds of the CRS that would stop them before all rules have run.
const LIMITS: [(&str, &str); 4] = [
    ("SecRequestBodyNoFilesLimit 131072", "SecRequestBodyNoFilesLimit 4194304"),
    ("SecArgumentsLimit 1000", "SecArgumentsLimit 100000"),
    ("SecResponseBodyLimit 524288", "SecResponseBodyLimit 4194304"),
    ("\"@ge 1000\"", "\"@ge 100000\""),
];

const WORDS: &str = "the quick brown fox jumps over a lazy dog while seven bright umbrellas drift along quiet harbour streets ";

fn main() {
    let Some(shared) = corpus::Shared::find() else { return };
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let rules = shared.rules();
    let mut text = std::fs::read_to_string(&rules).expect("the rules were written");
    for (limit, raised) in LIMITS {
        assert!(text.contains(limit), "{limit} is in the settings");
        text = text.replace(limit, raised);
    }
    std::fs::write(&rules, text).expect("the scratch folder can be written to");
    let waf = corpus::load(&rules);
    let chosen = |name: &str| name.contains(&wanted);
    println!("{:<34} {:>10} {:>12} {:>12} {:>8}", "what grows", "units", "us", "ns a unit", "growth");
    for (name, sizes) in growing().into_iter().filter(|(name, _)| chosen(name)) {
        grow(&waf, name, &sizes);
    }
    judge_large(&waf, chosen);
    println!("\n{:<44} {:>12} {:>12} {:>8} {:>6}", format!("bad input of {BAD_LENGTH} bytes"), "us", "harmless, us", "harm", "ends");
    for (place, wrap) in PLACES {
        let harmless = wrap(&filled("", WORDS));
        assert_eq!(harmless.run(&waf), None, "harmless bytes pass");
        let harmless = measure(&waf, &harmless);
        for (name, start, piece) in BAD.into_iter().filter(|(name, ..)| chosen(name)) {
            let bad = wrap(&filled(start, piece));
            let ending = bad.run(&waf).map_or("pass".to_owned(), |status| status.to_string());
            let micros = measure(&waf, &bad);
            let harm = micros / harmless;
            let name = format!("{name} in {place}");
            println!("{name:<44} {micros:>12.1} {harmless:>12.1} {harm:>8.2} {ending:>6}{}", mark(harm, MAX_HARM));
        }
    }
}

/// A request and how many units its size is.
type Size = (usize, Case);

/// What is made to take long or much, and the limit that ends it, against as many harmless bytes in the same run: fails where it is not so.
fn judge_large(waf: &Waf, chosen: impl Fn(&str) -> bool) {
    println!("\n{:<44} {:>12} {:>12} {:>8}  limits", format!("{LARGE_LENGTH} bytes"), "us", "harmless, us", "harm");
    let text = |piece: &str| {
        let text = serde_json::to_string(&piece.repeat(LARGE_LENGTH / piece.len())).expect("text is JSON");
        Case::post("application/json", format!("{{\"text\":{text}}}").into_bytes())
    };
    let harmless = measure(waf, &text(WORDS));
    let pieces = LARGE.iter().map(|piece| (format!("`{piece}` in JSON"), text(piece), None));
    let part = "--b0undary\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n";
    let structures = [
        ("JSON of 100000 levels", Case::post("application/json", "[".repeat(100_000).into_bytes()), "json_depth"),
        (
            "multipart of 100000 parts",
            Case::post("multipart/form-data; boundary=b0undary", (part.repeat(100_000) + "--b0undary--\r\n").into_bytes()),
            "multipart_parts",
        ),
    ];
    let structures = structures.into_iter().map(|(name, case, limit)| (name.to_owned(), case, Some(limit)));
    for (name, case, limit) in pieces.chain(structures).filter(|(name, ..)| chosen(name)) {
        let micros = measure(waf, &case);
        let (harm, limits) = (micros / harmless, case.exceeded_limits(waf));
        println!("{name:<44} {micros:>12.1} {harmless:>12.1} {harm:>8.2}  {}", limits.join(" "));
        assert!(limit.is_none_or(|limit| limits.contains(&limit)), "{name} ends at its limit");
        assert!(harm <= MAX_LARGE_HARM, "{name} takes {harm:.1} times as long as harmless bytes");
    }
}

/// Requests of the same kind, from small to large.
fn growing() -> Vec<(&'static str, Vec<Size>)> {
    vec![
        ("arguments of a form", [60, 600, 1000].into_iter().map(|count| (count, form(count))).collect()),
        ("bytes of JSON", [2_000, 64_000, 1_000_000].into_iter().map(json).collect()),
        ("bytes of multipart", [20_000, 2_000_000].into_iter().map(multipart).collect()),
        ("bytes of a response", [16_000, 512_000].into_iter().map(response).collect()),
    ]
}

fn form(arguments: usize) -> Case {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let pairs: Vec<String> =
        (0..arguments).map(|at| format!("field{at:04}={}+{}", words[at % words.len()], words[at * 7 % words.len()])).collect();
    Case::post("application/x-www-form-urlencoded", pairs.join("&").into_bytes())
}

fn json(length: usize) -> Size {
    let mut body = String::from("{\"rows\":[");
    for row in 0.. {
        let item = format!("{{\"id\":{row},\"name\":\"{}\",\"text\":\"{}\"}}", &WORDS[..15], &WORDS[..90]);
        if body.len() + item.len() + 3 > length {
            break;
        }
        body += if row == 0 { "" } else { "," };
        body += &item;
    }
    body += "]}";
    (body.len(), Case::post("application/json", body.into_bytes()))
}

fn multipart(length: usize) -> Size {
    let mut body = b"--b0undary\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nholiday\r\n--b0undary\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"beach.png\"\r\nContent-Type: image/png\r\n\r\n"
        .to_vec();
    let mut state = 7_u32;
    body.extend(
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(length),
    );
    body.extend_from_slice(b"\r\n--b0undary--\r\n");
    (body.len(), Case::post("multipart/form-data; boundary=b0undary", body))
}

fn response(length: usize) -> Size {
    let mut body = String::from("<!doctype html><html><body>");
    while body.len() < length {
        body += &format!("<div class=\"row\"><h2>{}</h2><p>{WORDS}</p></div>", &WORDS[..19]);
    }
    body += "</body></html>";
    (body.len(), Case::get("/catalog").answered("text/html; charset=utf-8", body.into_bytes()))
}

/// A start, and pieces that are hard for patterns when they come behind it again and again.
const BAD: [(&str, &str, &str); 18] = [
    ("single quotes", "", "'"),
    ("double quotes", "", "\""),
    ("backslashes", "", "\\"),
    ("dots", "", "."),
    ("dots and slashes", "", "../"),
    ("opened comments", "", "/*"),
    ("comments", "", "/**/"),
    ("white space", "", " \t"),
    ("opened brackets", "", "("),
    ("nested brackets", "", "[{(<"),
    ("a function and comments", "exec", "/**/ "),
    ("a function and white space", "exec", " "),
    ("a style and declarations", "a=", "b:c;"),
    ("a command and quotes", ";c", "'\"\\"),
    ("empty shell variables", ";", "$@$*"),
    ("shell assignments", ";", "a=b "),
    ("halves of tags", "<", "<a b="),
    ("halves of SQL", "1'", " or 1=("),
];

/// A text of the length of bad input.
fn filled(start: &str, piece: &str) -> String {
    let mut text = start.to_owned() + &piece.repeat(BAD_LENGTH / piece.len() + 1);
    text.truncate(BAD_LENGTH);
    text
}

/// A way to send a text of many bytes.
type Place = (&'static str, fn(&str) -> Case);

/// Where bad input stands.
const PLACES: [Place; 5] = [
    ("a form", |text| Case::post("application/x-www-form-urlencoded", format!("text={}", percent_encoded(text)).into_bytes())),
    ("JSON", |text| {
        let text = serde_json::to_string(text).expect("text is JSON");
        Case::post("application/json", format!("{{\"text\":{text}}}").into_bytes())
    }),
    ("names of files", |text| {
        let text = text.replace(['"', '\\'], "'");
        let mut body = String::new();
        for (at, name) in text.as_bytes().chunks(NAME_LENGTH).enumerate() {
            let name = std::str::from_utf8(name).expect("bad input is ASCII");
            body += &format!("--b0undary\r\nContent-Disposition: form-data; name=\"file{at}\"; filename=\"{name}\"\r\n\r\nx\r\n");
        }
        body += "--b0undary--\r\n";
        Case::post("multipart/form-data; boundary=b0undary", body.into_bytes())
    }),
    ("a header", |text| Case::get("/").with_header("Referer", text)),
    ("a response", |text| Case::get("/page").answered("text/html", text.as_bytes().to_vec())),
];

/// Every byte is encoded, so that bad and harmless text are as long on the wire.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn grow(waf: &Waf, name: &str, sizes: &[Size]) {
    let mut smallest = None;
    for (units, case) in sizes {
        assert_eq!(case.run(waf), None, "{name}: {units} pass");
        let micros = measure(waf, case);
        let each = micros * 1e3 / *units as f64;
        let growth = each / *smallest.get_or_insert(each);
        println!("{name:<34} {units:>10} {micros:>12.1} {each:>12.1} {growth:>8.2}{}", mark(growth, MAX_GROWTH));
    }
}

fn mark(figure: f64, max: f64) -> &'static str {
    if figure > max { "  too much" } else { "" }
}

/// The shortest time of a request in microseconds.
fn measure(waf: &Waf, case: &Case) -> f64 {
    let verdict = case.run(waf);
    let began = Instant::now();
    let mut shortest = f64::INFINITY;
    for round in 0..ROUNDS {
        if round > 2 && began.elapsed().as_secs_f64() > SECONDS {
            break;
        }
        let start = Instant::now();
        let again = case.run(waf);
        shortest = shortest.min(start.elapsed().as_secs_f64() * 1e6);
        assert_eq!(again, verdict, "the verdict is the same each time");
    }
    shortest
}

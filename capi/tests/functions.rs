//! The C interface: the headers match the library, and a C program that calls every function succeeds.

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    trials::run([
        trial!(the_headers_declare_what_the_library_defines),
        trial!(the_library_shows_nothing_else, [Needs::CLibrary, Needs::Program("nm")]),
        trial!(the_headers_are_c, [Needs::Program("cc")]),
        trial!(the_headers_are_cpp, [Needs::Program("c++")]),
        trial!(a_c_program_calls_every_function, [Needs::CLibrary, Needs::Program("cc")]),
        trial!(the_environment_may_leave_out_a_part_of_the_plan, [Needs::CLibrary, Needs::Program("cc")]),
        trial!(fewer_rules_than_the_environment_expects_are_told, [Needs::CLibrary, Needs::Program("cc")]),
        trial!(valgrind_finds_no_leak_and_no_invalid_access, [Needs::CLibrary, Needs::Program("cc"), Needs::Program("valgrind")]),
    ])
}

/// Functions by name: their results, and their arguments with type and name, in C's spelling.
type Functions = BTreeMap<String, (String, Vec<(String, String)>)>;

fn the_headers_declare_what_the_library_defines() {
    let (declared, defined) = (in_headers(), in_rust());
    // Those of libmodsecurity, msc_set_site, msc_ban and msc_unban.
    assert_eq!(defined.len(), 40);
    let names = |functions: &Functions| functions.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&declared), names(&defined));
    for (name, function) in &defined {
        assert_eq!(&declared[name], function, "{name}");
    }
}

fn the_library_shows_nothing_else() {
    let symbols = output(Command::new("nm").args(["-D", "--defined-only"]).arg(trials::c_library()));
    let shown: Vec<_> = symbols.lines().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect();
    assert_eq!(shown, in_rust().into_keys().collect::<Vec<_>>());
}

fn the_headers_are_c() {
    check_headers("cc", "c");
}

fn the_headers_are_cpp() {
    check_headers("c++", "c++");
}

fn check_headers(compiler: &str, language: &str) {
    let source = scratch(&format!("headers-{language}.c"));
    fs::write(&source, "#include <modsecurity/transaction.h>\n#include <modsecurity/modsecurity.h>\nint main(void) { return 0; }\n")
        .unwrap();
    let mut command = Command::new(compiler);
    command.args(["-x", language, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic"]).arg("-I").arg(root().join("include"));
    output(command.arg(&source));
}

fn a_c_program_calls_every_function() {
    let uncalled: Vec<_> = in_rust().into_keys().filter(|name| !C_PROGRAM.contains(&format!("{name}("))).collect();
    assert!(uncalled.is_empty(), "never called: {uncalled:?}");
    run(&mut Command::new(program("called")), "2000");
}

fn the_environment_may_leave_out_a_part_of_the_plan() {
    let program = program("planned");
    let said = |plan: &str| run(Command::new(&program).env("SECRULE_PLAN", plan), "2");
    for plan in ["on", "off", "no-scan-memo"] {
        assert!(!said(plan).contains("SECRULE_PLAN"), "{plan}");
    }
    assert!(said("maybe").contains("SECRULE_PLAN=maybe: unknown plan; one of on, off, no-prefilters,"));
}

fn fewer_rules_than_the_environment_expects_are_told() {
    let program = program("expected");
    let said = |expected: &str| run(Command::new(&program).env("SECRULE_EXPECT_RULES", expected), "2");
    let many = said("100000");
    assert!(many.contains("secrule: too few rules: ") && many.contains(", and SECRULE_EXPECT_RULES=100000; `secrule check`"), "{many}");
    assert!(!said("0").contains("SECRULE_EXPECT_RULES"));
    assert!(said("many").contains("SECRULE_EXPECT_RULES=many: write a number"));
}

fn valgrind_finds_no_leak_and_no_invalid_access() {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
    run(valgrind.arg(program("watched")), "100");
}

const C_PROGRAM: &str = include_str!("all_functions.c");

/// Runs the C program, which prints every error, and returns what it and the library wrote to standard error.
fn run(command: &mut Command, transactions: &str) -> String {
    let library = trials::c_library();
    let ended = command.arg(transactions).env("LD_LIBRARY_PATH", library.parent().unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{command:?}: {}\n{said}", ended.status);
    said
}

/// Builds the C program under a name of its own, for tests run in parallel.
fn program(name: &str) -> PathBuf {
    let program = scratch(&format!("all_functions-{name}"));
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-D_DEFAULT_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]);
    command.arg("-I").arg(root().join("include")).arg("-o").arg(&program);
    output(command.arg(root().join("tests/all_functions.c")).arg(trials::c_library()));
    program
}

/// Returns the output of a command, which must succeed.
fn output(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Returns the functions that the headers declare.
fn in_headers() -> Functions {
    let mut functions = Functions::new();
    for entry in fs::read_dir(root().join("include/modsecurity")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let code: String = text.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
        let code: String = code.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line} ")).collect();
        for declaration in code.split(';') {
            let Some((head, arguments)) = declaration.split_once('(') else { continue };
            let (gives, name) = split_name(head.rsplit('{').next().unwrap());
            if name.starts_with("msc_") {
                let arguments = arguments.trim_end().trim_end_matches(')').split(',').filter(|argument| *argument != "void");
                functions.insert(name, (gives, arguments.map(split_name).collect()));
            }
        }
    }
    functions
}

/// Splits `const char *name` into `const char *` and `name`.
fn split_name(declared: &str) -> (String, String) {
    let declared = declared.trim();
    let at = declared.rfind([' ', '*']).map_or(0, |at| at + 1);
    (declared[..at].trim().to_owned(), declared[at..].to_owned())
}

/// Returns the functions that the library defines.
fn in_rust() -> Functions {
    let mut functions = Functions::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
        for part in text.split("#[unsafe(no_mangle)]").skip(1) {
            let signature = part.split_once("extern \"C\" fn ").unwrap().1.split(" {\n").next().unwrap();
            let (name, rest) = signature.split_once('(').unwrap();
            let (arguments, gives) = rest.rsplit_once(')').unwrap();
            let arguments = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty()).map(|argument| {
                let (name, kind) = argument.split_once(": ").unwrap();
                (in_c(kind), name.trim_start_matches('_').to_owned())
            });
            let gives = gives.trim().strip_prefix("-> ").map_or("void".to_owned(), in_c);
            functions.insert(name.to_owned(), (gives, arguments.collect()));
        }
    }
    functions
}

/// Returns a Rust type in C's spelling.
fn in_c(kind: &str) -> String {
    if let Some(target) = kind.strip_prefix("*mut ") {
        return pointer_to(&in_c(target));
    }
    if let Some(target) = kind.strip_prefix("*const ") {
        return format!("const {}", pointer_to(&in_c(target)));
    }
    match kind {
        "c_char" => "char",
        "c_uchar" => "unsigned char",
        "c_ulong" => "unsigned long",
        "c_int" => "int",
        "c_void" => "void",
        "usize" => "size_t",
        "Option<ModSecLogCb>" => "ModSecLogCb",
        handle => handle,
    }
    .to_owned()
}

fn pointer_to(target: &str) -> String {
    if target.ends_with('*') { format!("{target}*") } else { format!("{target} *") }
}

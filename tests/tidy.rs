//! The walls of the house: what the compiler does not check about how files lie and lean.
//!
//! Each check is a function from text to complaints, shown below to fail on a planted breach, and
//! run over the tree. Imports are read textually: comments and strings are dropped first.

#![expect(clippy::indexing_slicing, reason = "tests may, where bounds are at hand")]

use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the ground up; each may import only those before it.
const LAYERS: [&str; 10] =
    ["limits", "types", "crypto", "log", "sync", "queue", "node", "channels", "gateway", "bin"];
/// The last layer without effects.
const LAST_PURE: &str = "queue";
/// What a layer without effects never names.
const IMPURE: [&[&str]; 12] = [
    &["tokio"],
    &["futures"],
    &["getrandom"],
    &["std", "net"],
    &["std", "thread"],
    &["std", "fs"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["Instant", "now"],
    &["SystemTime"],
    &["HashMap"],
    &["HashSet"],
];
/// Lines of a file at most.
const LINE_COUNT_MAX: usize = 500;
/// Text that no file may hold, in two halves so that this one does not hold it either.
const FORBIDDEN: [(&str, &str); 6] =
    [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Use", "rs/"), ("TO", "DO"), ("FIX", "ME")];

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Vec::new();
    for path in files(root) {
        let name = path.strip_prefix(root).expect("it was found below").display().to_string();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        complaints.extend(check(&name, &text));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Everything that is wrong with one file, as `file:line: what, and what to do`.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut found = forbidden_text(text);
    if name.ends_with(".rs") {
        let tokens = tokens(text);
        found.extend(first_line(text));
        found.extend(length(text));
        found.extend(imports_upwards(name, &tokens));
        found.extend(effects(name, &tokens));
        if name == "src/limits.rs" {
            found.extend(bare_constants(text));
        }
        if name.starts_with("storage-adapters/") {
            found.extend(root_named(&tokens));
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|(line, what)| format!("{name}:{line}: {what}")).collect()
}

/// A complaint: its line, what is wrong and what to do.
type Complaint = (usize, String);

fn first_line(text: &str) -> Option<Complaint> {
    let good = text.lines().next().is_some_and(|line| line.starts_with("//! "));
    (!good).then(|| (1, "expected a `//! ` line first: say what the file is for".into()))
}

fn length(text: &str) -> Option<Complaint> {
    let count = text.lines().count();
    (count > LINE_COUNT_MAX).then(|| {
        (count, format!("expected at most {LINE_COUNT_MAX} lines, got {count}: one noun per file"))
    })
}

fn forbidden_text(text: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (head, tail) in FORBIDDEN {
            if line.contains(&[head, tail].concat()) {
                let what = format!("expected no `{head}{tail}`: a path of one machine, or a stub");
                found.push((number, what));
            }
        }
    }
    found
}

fn bare_constants(text: &str) -> Vec<Complaint> {
    let mut previous = "";
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("pub const") && !previous.starts_with("///") {
            found.push((number, "expected a doc: unit, reason, source of the bound".into()));
        }
        previous = line;
    }
    found
}

fn root_named(tokens: &[Token<'_>]) -> Vec<Complaint> {
    let named = tokens.windows(2).filter(|pair| pair[0].text == "peermq" && pair[1].text == "::");
    let what = "expected nothing of the root package: adapters know bytes only";
    named.map(|pair| (pair[0].line, what.into())).collect()
}

/// Imports of a layer that lies higher than the file's own.
fn imports_upwards(name: &str, tokens: &[Token<'_>]) -> Vec<Complaint> {
    let Some((own, module)) = layer_of(name) else { return Vec::new() };
    let mut found = Vec::new();
    for (layer, line) in roots_named(&module, tokens) {
        if rank(&layer).is_some_and(|rank| rank > own) {
            let own = LAYERS[own];
            found.push((line, format!("`{own}` imports `{layer}`, which lies higher: invert it")));
        }
    }
    found
}

/// Runtime, sockets, clock, threads, files, chance or random order in a layer without effects.
fn effects(name: &str, tokens: &[Token<'_>]) -> Vec<Complaint> {
    let pure = layer_of(name).is_some_and(|(own, _)| Some(own) <= rank(LAST_PURE));
    if !pure || name.ends_with("/tests.rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (path, line) in paths(without_tests(tokens)) {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let named = |impure: &&&[&str]| path.windows(impure.len()).any(|part| part == **impure);
        for what in IMPURE.iter().filter(named).map(|impure| impure.join("::")) {
            found.push((line, format!("a pure layer names `{what}`: take it as an argument")));
        }
    }
    found
}

/// How high a layer lies; nothing that is no layer has a rank.
fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

/// The rank of a file's layer, and the file's module path below the crate.
fn layer_of(name: &str) -> Option<(usize, Vec<String>)> {
    let path = name.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    Some((rank(module.first()?)?, module))
}

/// The modules right below the crate that the file names, each with its line.
fn roots_named(module: &[String], tokens: &[Token<'_>]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    inline.push(depth);
                }
            }
            "}" => {
                inline.pop_if(|opened| *opened == depth);
                depth -= 1;
            }
            "crate" | "super" if at == 0 || tokens[at - 1].text != "::" => {
                let (path, line) = (spread(&tokens[at..]), token.line);
                let here = module.len() + inline.len();
                found.extend(path.into_iter().filter_map(|p| Some((below_crate(&p, here)?, line))));
            }
            _ => {}
        }
    }
    found
}

/// The module right below the crate that a path names, seen from `depth` modules below it.
fn below_crate(path: &[String], depth: usize) -> Option<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => path.get(1).cloned(),
        _ if supers == depth => path.get(supers).cloned(),
        _ => None,
    }
}

/// All paths of a file, groups spread out.
fn paths(tokens: &[Token<'_>]) -> Vec<(Vec<String>, usize)> {
    let starts = (0..tokens.len())
        .filter(|at| tokens[*at].is_word() && (*at == 0 || tokens[*at - 1].text != "::"));
    starts
        .flat_map(|at| spread(&tokens[at..]).into_iter().map(move |p| (p, tokens[at].line)))
        .collect()
}

/// The paths that begin at the first token: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn spread(tokens: &[Token<'_>]) -> Vec<Vec<String>> {
    let mut path = Vec::new();
    let mut at = 0;
    while tokens.get(at).is_some_and(Token::is_word) {
        path.push(tokens[at].text.to_owned());
        if tokens.get(at + 1).is_none_or(|token| token.text != "::") {
            return vec![path];
        }
        at += 2;
    }
    if tokens.get(at).is_none_or(|token| token.text != "{") {
        return vec![path];
    }
    let mut depth = 0;
    let mut all = Vec::new();
    for (offset, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(token.text, "{" | ",") {
            let tails = spread(&tokens[offset + 1..]).into_iter();
            all.extend(tails.map(|tail| [path.clone(), tail].concat()));
        }
    }
    all
}

/// Everything before the file's own tests, which come last.
fn without_tests<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let opening = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let tests = tokens.windows(opening.len()).position(|w| w.iter().map(|t| t.text).eq(opening));
    &tokens[..tests.unwrap_or(tokens.len())]
}

/// A word, `::` or a sign.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c.is_alphanumeric())
    }
}

/// The tokens of Rust source, without comments, strings and characters.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let len = skipped(rest).unwrap_or_else(|| {
            let word = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
            let sign = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            let len = word.max(if word == 0 { sign } else { 0 });
            found.push(Token { text: &rest[..len], line });
            len
        });
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    found
}

/// Bytes of the space, comment, string, character or lifetime that comes first, if one does.
fn skipped(rest: &str) -> Option<usize> {
    let to = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    let raw = rest
        .strip_prefix("br")
        .or_else(|| rest.strip_prefix('r'))
        .filter(|tail| tail.trim_start_matches('#').starts_with('"'));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let close = format!("\"{}", "#".repeat(hashes));
        let open = rest.len() - raw.len() + hashes + 1;
        return Some(rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len()));
    }
    let mut chars = rest.chars();
    match (chars.next()?, chars.next(), chars.next()) {
        ('/', Some('/'), _) => Some(to("\n")),
        ('/', Some('*'), _) => Some(to("*/")),
        ('"', ..) => Some(quoted(rest, '"')),
        ('\'', Some('\\'), _) | ('\'', _, Some('\'')) => Some(quoted(rest, '\'')),
        ('\'', ..) => Some(1),
        (space, ..) if space.is_whitespace() => Some(space.len_utf8()),
        _ => None,
    }
}

/// Bytes of what stands between two `quote`s, and of both.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The project's own text files.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the tree can be read").map(|e| e.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && !matches!(&*name, "target" | ".git" | "corpus" | "artifacts") {
            found.extend(files(&path));
        }
        if [".rs", ".md", ".toml", "run", "advisories"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    found.retain(|path| path.is_file());
    found.sort();
    found
}

mod planted {
    use super::*;

    /// The lines complained about in a file of that name, whose first line is a proper one.
    fn lines(name: &str, text: &str) -> Vec<String> {
        let text = format!("//! A file.\n{text}");
        let found = check(name, &text).into_iter();
        found.map(|complaint| complaint.split(": ").take(1).collect()).collect()
    }

    #[test]
    fn a_file_without_its_line_or_too_long_is_found() {
        assert!(check("src/log/mod.rs", "use a;\n")[0].starts_with("src/log/mod.rs:1: expected a"));
        let long = "// x\n".repeat(LINE_COUNT_MAX);
        assert_eq!(lines("src/log/mod.rs", &long), ["src/log/mod.rs:501"]);
    }

    #[test]
    fn an_import_of_a_higher_layer_is_found_in_every_form() {
        let breaches = [
            "use crate::node::Node;",
            "use crate::{limits::A, node::{B, C}};",
            "pub(crate) use crate::{\n    log::A,\n    sync::B,\n};",
            "fn f() -> crate::queue::Inbox { todo() }",
            "use super::super::sync::Session;",
            "use super::super::{log, sync};",
            "mod tests {\n use super::super::super::sync::Session; }",
            "macro_rules! m { () => { $crate::gateway::x() } }",
            "const A: &str = r#\"\"#; const B: char = '\"'; use crate::channels::C;",
        ];
        for breach in breaches {
            assert_eq!(lines("src/log/tree.rs", breach).len(), 1, "{breach}");
        }
        assert_eq!(lines("src/types/mod.rs", "use super::log::Head;").len(), 1);
    }

    #[test]
    fn an_import_of_a_lower_layer_and_mere_words_are_let_pass() {
        let good = [
            "use crate::{limits::A, types::{Id, Seq}};",
            "use super::sync;",
            "mod tests {\n use super::super::sync; }",
            "// use crate::node::Node;",
            "/* use crate::node::Node; */",
            "const A: &str = \"crate::node\"; const B: &str = r#\"crate::\"node\"#;",
            "fn f<'a>(x: &'a u8) -> &'a u8 { let _ = (b'\\'', 'ü'); x } // crate::node",
        ];
        for good in good {
            assert_eq!(lines("src/log/tree.rs", good), [""; 0], "{good}");
        }
        assert_eq!(lines("src/lib.rs", "use crate::gateway::Api;"), [""; 0]);
        assert_eq!(lines("src/bin/peermq/main.rs", "use crate::node::X;"), [""; 0]);
    }

    #[test]
    fn an_effect_in_a_pure_layer_is_found() {
        let breaches = [
            "use tokio::sync::mpsc;",
            "use std::{fmt, net::SocketAddr};",
            "fn f() { std::thread::yield_now(); }",
            "use std::fs;",
            "use std::time::{Duration, Instant};",
            "fn f() -> Instant { Instant::now() }",
            "use std::collections::{BTreeMap, HashMap};",
            "fn f() { getrandom::fill(&mut []); }",
        ];
        for breach in breaches {
            assert_eq!(lines("src/queue/inbox.rs", breach).len(), 1, "{breach}");
            assert_eq!(lines("src/node/actor.rs", breach), [""; 0], "{breach}");
        }
        let tests = "#[cfg(test)]\nmod tests { use std::fs; }";
        assert_eq!(lines("src/queue/inbox.rs", tests), [""; 0]);
        assert_eq!(lines("src/queue/inbox.rs", "use std::time::Duration;"), [""; 0]);
    }

    #[test]
    fn a_bound_without_its_reason_is_found() {
        let text = "/// Bytes: a page.\npub const A: usize = 1;\n\npub const B: usize = 2;\n";
        assert_eq!(lines("src/limits.rs", text), ["src/limits.rs:5"]);
    }

    #[test]
    fn an_adapter_that_knows_the_root_is_found() {
        let text = "use peermq_storage::Store;\nuse peermq::types::Id;\n";
        let name = "storage-adapters/src/sled.rs";
        assert_eq!(lines(name, text), [format!("{name}:3")]);
    }

    #[test]
    fn a_path_of_one_machine_and_a_stub_are_found() {
        let text = format!("// see {}{}x\n// {}{}: x\n", "/wo", "rk/", "FIX", "ME");
        assert_eq!(lines("src/lib.rs", &text), ["src/lib.rs:2", "src/lib.rs:3"]);
        let text = format!("one\ntwo {}{}me\n", "/ho", "me/");
        assert_eq!(check("README.md", &text).len(), 1);
    }
}

//! The transcripts in `tests/transcripts` are what the manager says, line for line. After a wanted change
//! `UPDATE_TRANSCRIPTS=1 cargo test --test transcripts` rewrites them, and a person reads the diff.

#[path = "transcripts/runner/mod.rs"]
mod runner;

use std::{env, fs};

use runner::{Fault, diff, replay};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
const UPDATE: &str = "UPDATE_TRANSCRIPTS";

/// The names of the transcripts, in the order in which they are read: each starts with its number.
fn names() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it can be listed").file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    names.sort();
    names
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("{FOLDER}/{name}")).expect("it can be read")
}

/// Whether the files are to be rewritten. On a CI machine nobody would read the diff.
fn rewrites(update: bool, ci: bool) -> Result<bool, String> {
    if update && ci {
        return Err(format!("{UPDATE} is set, but CI never rewrites the transcripts"));
    }
    Ok(update)
}

/// What is to be written to a file, if its text is not what the manager says; what a person has to see, if it is
/// not to be written.
fn check(name: &str, text: &str, rewrites: bool) -> Result<Option<String>, String> {
    let replayed = replay(text).map_err(|fault| format!("tests/transcripts/{name}:{fault}"))?;
    if replayed == text {
        return Ok(None);
    }
    if rewrites {
        return Ok(Some(replayed));
    }
    Err(format!(
        "tests/transcripts/{name} (- the file, + the manager):\n{}",
        diff(text, &replayed)
    ))
}

#[test]
fn the_transcripts_are_what_the_manager_says() {
    let is_set = |variable| env::var_os(variable).is_some_and(|value| !value.is_empty());
    let rewrites = rewrites(is_set(UPDATE), is_set("CI")).unwrap_or_else(|refusal| panic!("{refusal}"));
    let names = names();
    assert!(names.len() >= 20, "{} transcripts: some are missing", names.len());
    let mut faults = Vec::new();
    for name in names {
        // Shown if the manager panics.
        println!("playing {name}");
        match check(&name, &read(&name), rewrites) {
            Ok(None) => {}
            Ok(Some(replayed)) => fs::write(format!("{FOLDER}/{name}"), replayed).expect("it can be written"),
            Err(fault) => faults.push(fault),
        }
    }
    assert!(
        faults.is_empty(),
        "\n{}\nIf this is what you want, `{UPDATE}=1 cargo test --test transcripts` rewrites the files.\n",
        faults.join("\n")
    );
}

#[test]
fn the_documentation_includes_every_transcript_in_order() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/transcripts.rs")).unwrap();
    let included: Vec<_> = page
        .lines()
        .filter_map(|line| {
            line.strip_prefix("#![doc = include_str!(\"../tests/transcripts/")?
                .strip_suffix("\")]")
        })
        .collect();
    let mut wanted = vec!["README.md".to_owned()];
    wanted.extend(names());
    assert_eq!(included, wanted);
}

#[test]
fn the_files_are_never_rewritten_on_a_ci_machine() {
    assert!(rewrites(true, true).is_err());
    assert_eq!(rewrites(true, false), Ok(true));
    assert_eq!(rewrites(false, true), Ok(false));
}

#[test]
fn a_difference_is_shown_with_the_lines_before_it_and_rewritten_on_demand() {
    let right = "# Two\n\n```text\n> connect den ann\n  returns c0v1\n  notice: l0v1 opened: \"den\"\n  notice: \"ann\" \
                 joined \"den\" (revision 1)\n\n> members den\n  c0v1\n```\nThe end.\n";
    let wrong = right.replace(
        "  notice: l0v1 opened: \"den\"\n",
        "  notice: l7v1 opened: \"den\"\n  more\n",
    );
    assert_eq!(check("x.md", right, false), Ok(None));
    assert_eq!(check("x.md", &wrong, true), Ok(Some(right.to_owned())));
    let shown = check("x.md", &wrong, false).unwrap_err();
    assert_eq!(
        shown.lines().collect::<Vec<_>>(),
        [
            "tests/transcripts/x.md (- the file, + the manager):",
            "   3   ```text",
            "   4   > connect den ann",
            "   5     returns c0v1",
            "   6 -   notice: l7v1 opened: \"den\"",
            "   7 -   more",
            "   8 +   notice: l0v1 opened: \"den\"",
        ]
    );
}

#[test]
fn a_mistake_in_a_transcript_is_named_with_its_line() {
    let block = |lines: &str| format!("# Heading\n\n```text\n{lines}\n```\n");
    let fault = |text: &str| replay(text).unwrap_err();
    let in_line_4 = [
        ("> conect den ann", "no such input"),
        ("> say ann hello", "\"ann\" is no connection"),
        ("> at noon", "is no time"),
        ("> at 1.0000000001s", "is no time"),
        ("> close c0v1 boredom", "is no cause"),
        ("> broadcast den hi but ann", "an exception is"),
        ("> kick c0v1 1005 bye", "close code 1005"),
        ("> say c0v1 \"hello", "a quote is not closed"),
        ("> config max_conections = 3", "unknown field"),
        ("> pong c0v1", "was never pinged"),
        ("> stats users lobies", "no field lobies"),
        ("connect den ann", "neither an input"),
    ];
    for (line, message) in in_line_4 {
        let Fault {
            line: number,
            message: found,
        } = fault(&block(line));
        assert!(number == 4 && found.contains(message), "{line}: {number}: {found}");
    }
    let late = fault(&block("> connect den ann\n> config seed = 1"));
    assert_eq!((late.line, late.message.as_str()), (5, "the settings come first"));
    assert_eq!(fault("Prose\n").line, 1);
    assert_eq!(fault("# Heading\n\n```rust\n").line, 3);
    assert_eq!(
        fault("# Heading\n\n```text\n> lobbies\n").message,
        "this block is not closed"
    );
    assert!(fault(&block("> at 3s")).message.contains("has an output"));
    let shown = check("x.md", &block("> conect den ann"), true).unwrap_err();
    assert!(shown.starts_with("tests/transcripts/x.md:4: no such input"), "{shown}");
}

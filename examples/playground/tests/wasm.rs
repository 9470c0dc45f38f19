//! The page is built, and the WebAssembly in it is run by Node: it comes to what native code comes to, byte for byte.
//! Without Node or the target this is skipped, loudly; with `CI` set it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lobby_playground::{Scenario, World};
use serde_json::Value;

/// The folder of the package.
fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn missing() -> Option<&'static str> {
    let works = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output
            .ok()
            .filter(|output| output.status.success())
            .map(|output| output.stdout)
    };
    if works("node", &["--version"]).is_none() {
        return Some("node");
    }
    let libraries = works(
        "rustc",
        &["--print", "target-libdir", "--target", "wasm32-unknown-unknown"],
    );
    let there = libraries.is_some_and(|path| Path::new(String::from_utf8_lossy(&path).trim()).exists());
    (!there).then_some("the target wasm32-unknown-unknown")
}

/// Builds the page and returns its folder.
fn build() -> PathBuf {
    let output = Command::new(env!("CARGO_BIN_EXE_build-playground")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    PathBuf::from(said.lines().last().unwrap()).parent().unwrap().to_owned()
}

#[test]
fn the_same_recordings_give_the_same_digests_natively_and_as_web_assembly() {
    if let Some(missing) = missing() {
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing");
        eprintln!("SKIPPED: {missing} is missing, so the WebAssembly is not run");
        return;
    }
    let recording = package().join("../../tests/platforms/run.log");
    let output = Command::new("node")
        .arg(package().join("tests/digests.mjs"))
        .arg(build())
        .arg(&recording)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let there: Value = serde_json::from_slice(&output.stdout).unwrap();

    let world = World::load(fs::read(&recording).unwrap()).unwrap();
    assert_eq!(there["recording"], world.digest());
    assert_eq!(there["logs"].as_object().unwrap().len(), Scenario::ALL.len());
    for scenario in Scenario::ALL {
        let name = serde_json::to_value(scenario).unwrap();
        let log = String::from_utf8(scenario.play().unwrap().log().to_vec()).unwrap();
        assert_eq!(there["logs"][name.as_str().unwrap()], log, "{scenario:?}");
    }
    let damaged = there["damaged"].as_str().unwrap();
    assert!(damaged.contains("line 3"), "{damaged}");
}

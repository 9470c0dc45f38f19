//! The command for hostile load; what it finds out about servers needs those, and is run by hand.

use std::process::Command;

#[test]
fn a_program_that_is_no_server_is_named_and_the_command_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_lobby-hostile"))
        .args(["true", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("FAILED: true does not listen"), "{said}");
    assert_eq!(said.matches("FAILED").count(), 2, "{said}");
}

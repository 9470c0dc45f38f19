//! What must hold of every value that can be read from JSON.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads a text, if it is one of a `T`. It is read from a stream, from which nothing can be borrowed, as it is from
/// memory; what was read is written, and read again it is the same; and nothing in the text was passed over.
pub(crate) fn read<'a, T: Deserialize<'a> + Serialize + PartialEq + Debug>(text: &'a str) -> Option<T> {
    let value: Option<T> = serde_json::from_str(text).ok();
    assert_eq!(streamed(text), value, "from a stream");
    let value = value?;
    let written = serde_json::to_string(&value).expect("what was read can be written");
    assert_eq!(streamed(&written).as_ref(), Some(&value), "read again: {written}");
    assert_kept(
        &serde_json::from_str(text).expect("a text of a value is JSON"),
        &serde_json::from_str(&written).expect("what was written is JSON"),
    );
    Some(value)
}

fn streamed<'a, T: Deserialize<'a>>(text: &str) -> Option<T> {
    let mut reader = serde_json::Deserializer::from_reader(text.as_bytes());
    let value = T::deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// What was read may be more than was given, since there are defaults, but not less, and not another thing. (An array
/// also serves for an object whose members it lists, and an object with null for a word.)
fn assert_kept(given: &Value, read: &Value) {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => {
            for (key, value) in given {
                let found = read.get(key).unwrap_or_else(|| panic!("{key:?} was passed over"));
                assert_kept(value, found);
            }
        }
        (Value::Array(given), Value::Array(read)) => {
            assert_eq!(given.len(), read.len());
            for (given, read) in given.iter().zip(read) {
                assert_kept(given, read);
            }
        }
        (Value::Object(_) | Value::Array(_), _) => {}
        _ => assert_eq!(given, read),
    }
}

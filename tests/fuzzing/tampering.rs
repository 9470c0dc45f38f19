//! How a snapshot is tampered with.

use serde_json::{Value, json};

/// The pointers to all values, the whole one first.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        all.extend(pointers(child).into_iter().map(|rest| format!("/{key}{rest}")));
    }
    all
}

/// How one value is changed.
#[derive(Clone, Debug)]
pub(crate) enum Tampering {
    /// Zero, the ends of the number types, an odd name and the like.
    Constant(usize),
    Add(i64),
    Flip,
    Remove,
    Double,
    Swap(usize),
    /// Another value of the same snapshot.
    Copy(usize),
}

fn constants() -> Vec<Value> {
    let numbers = [
        0,
        1,
        u64::from(u32::MAX) - 1,
        u64::from(u32::MAX),
        1 << 62,
        u64::MAX - 1,
        u64::MAX,
    ];
    let words = [
        "",
        "ann",
        "den",
        "c0v1",
        "c3v4294967295",
        "c4294967294v1",
        "l0v4294967295",
        "l4294967294v1",
    ];
    let mut all: Vec<Value> = numbers.map(Value::from).into();
    all.extend(words.map(Value::from));
    all.extend([Value::Null, json!([]), json!({}), json!(true), json!(-1), json!(0.5)]);
    all
}

/// Of a list that is counted round and round.
fn around<T>(list: &[T], number: usize) -> &T {
    &list[number % list.len()]
}

/// Changes the value at this place among the [`pointers`], in this way if it can be.
pub(crate) fn tamper(snapshot: &mut Value, at: usize, how: &Tampering) {
    let all = pointers(snapshot);
    let at = around(&all, at).clone();
    let (parent, key) = at.rsplit_once('/').unwrap_or_default();
    match how {
        Tampering::Constant(index) => *snapshot.pointer_mut(&at).unwrap() = around(&constants(), *index).clone(),
        Tampering::Copy(index) => {
            let other = snapshot.pointer(around::<String>(&all, *index)).unwrap().clone();
            *snapshot.pointer_mut(&at).unwrap() = other;
        }
        Tampering::Add(more) => {
            let value = snapshot.pointer_mut(&at).unwrap();
            if let Some(number) = value.as_u64() {
                *value = number.wrapping_add_signed(*more).into();
            }
        }
        Tampering::Flip => {
            let value = snapshot.pointer_mut(&at).unwrap();
            if let Some(flag) = value.as_bool() {
                *value = (!flag).into();
            }
        }
        Tampering::Remove | Tampering::Double | Tampering::Swap(_) => match snapshot.pointer_mut(parent).unwrap() {
            Value::Array(items) if !key.is_empty() => {
                let (here, count): (usize, _) = (key.parse().unwrap(), items.len());
                match how {
                    Tampering::Remove => _ = items.remove(here),
                    Tampering::Swap(with) => items.swap(here, with % count),
                    _ => items.insert(here, items[here].clone()),
                }
            }
            Value::Object(members) => _ = members.remove(key),
            _ => {}
        },
    }
}

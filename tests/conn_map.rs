//! The drivers' side table.

use lobbykeeper::{ConnId, ConnMap};

fn conn(text: &str) -> ConnId {
    text.parse().unwrap()
}

#[test]
fn a_value_is_found_by_its_own_id_alone() {
    let mut map = ConnMap::new();
    assert_eq!(map.insert(conn("c2v5"), "five"), None);
    for stale in ["c2v4", "c2v6", "c0v5", "c3v5", "c4294967295v5"] {
        assert_eq!(map.get(conn(stale)), None, "{stale}");
        assert_eq!(map.get_mut(conn(stale)), None, "{stale}");
        assert_eq!(map.remove(conn(stale)), None, "{stale}");
    }
    *map.get_mut(conn("c2v5")).unwrap() = "changed";
    assert_eq!((map.get(conn("c2v5")), map.len()), (Some(&"changed"), 1));
    assert_eq!(map.remove(conn("c2v5")), Some("changed"));
    assert_eq!((map.remove(conn("c2v5")), map.len(), map.is_empty()), (None, 0, true));
}

#[test]
fn what_lay_in_the_slot_is_handed_back() {
    let mut map = ConnMap::default();
    map.insert(conn("c0v1"), "old");
    assert_eq!(map.insert(conn("c0v1"), "same id"), Some("old"));
    assert_eq!(map.insert(conn("c0v2"), "next tenant"), Some("same id"));
    assert_eq!(map.len(), 1);
    assert_eq!(
        (map.get(conn("c0v1")), map.get(conn("c0v2"))),
        (None, Some(&"next tenant"))
    );
}

#[test]
fn values_are_listed_with_their_ids_in_the_order_of_the_indices() {
    let mut map = ConnMap::new();
    assert_eq!(map.iter().count(), 0);
    for (id, value) in [("c7v1", 1), ("c0v9", 2), ("c3v2", 3), ("c5v5", 4)] {
        map.insert(conn(id), value);
    }
    map.remove(conn("c3v2"));
    for (_, value) in map.iter_mut() {
        *value *= 10;
    }
    let listed: Vec<_> = map.iter().map(|(id, &value)| (id.to_string(), value)).collect();
    assert_eq!(listed, [("c0v9".into(), 20), ("c5v5".into(), 40), ("c7v1".into(), 10)]);
}

#[test]
fn a_clone_is_a_map_of_its_own() {
    let mut map = ConnMap::new();
    map.insert(conn("c0v1"), 1);
    let mut copy = map.clone();
    copy.remove(conn("c0v1"));
    assert_eq!((map.len(), copy.len()), (1, 0));
}

#[test]
fn a_map_counts_what_is_in_it() {
    let mut map = ConnMap::new();
    assert_eq!((map.len(), map.is_empty()), (0, true));
    let (first, second) = (conn("c0v1"), conn("c4v1"));
    map.insert(first, 'a');
    map.insert(second, 'b');
    map.insert(first, 'c');
    assert!(!map.is_empty());
    assert_eq!(map.len(), 2);
    map.remove(second);
    map.remove(second);
    assert_eq!(map.len(), 1);
}

//! What a person has to look at.

/// The lines that differ, `-` before those of the file and `+` before those of the manager, each run of them below the
/// lines that lead to it.
pub(crate) fn diff(file: &str, manager: &str) -> String {
    const CONTEXT: usize = 3;
    let (old, new): (Vec<_>, Vec<_>) = (file.lines().collect(), manager.lines().collect());
    let common = common_lengths(&old, &new);
    let (mut at, mut to) = (0, 0);
    let mut lines = Vec::new();
    while at < old.len() || to < new.len() {
        let both = at < old.len() && to < new.len();
        if both && old[at] == new[to] {
            lines.push((' ', at, old[at]));
            (at, to) = (at + 1, to + 1);
        } else if to == new.len() || (both && common[at + 1][to] >= common[at][to + 1]) {
            lines.push(('-', at, old[at]));
            at += 1;
        } else {
            lines.push(('+', at, new[to]));
            to += 1;
        }
    }
    let near = |index| {
        lines
            .iter()
            .skip(index)
            .take(CONTEXT + 1)
            .any(|&(sign, ..)| sign != ' ')
    };
    let shown = lines.iter().enumerate().filter(|&(index, _)| near(index));
    let shown: Vec<_> = shown
        .map(|(_, (sign, number, line))| format!("{:4} {sign} {line}\n", number + 1))
        .collect();
    shown.concat()
}

/// `[a][b]`: how long a common subsequence the lines from `a` and from `b` on have.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            common[at][to] = if old[at] == new[to] {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    common
}

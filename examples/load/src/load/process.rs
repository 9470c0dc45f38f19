//! What the system knows of processes, from Linux's `/proc`. All figures are of whole processes, threads that have
//! ended included.

use std::io;

use super::as_f64;

/// The CPU seconds that these processes have taken so far; the system counts in steps of 10 ms.
pub(super) fn cpu_time(processes: &[u32]) -> io::Result<f64> {
    let mut ticks = 0;
    for process in processes {
        let path = format!("/proc/{process}/stat");
        let stat = std::fs::read_to_string(&path)?;
        // The second field is the command's name in brackets, in which anything may stand.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        match (times.next(), times.next()) {
            (Some(Ok(user)), Some(Ok(system))) => ticks += user + system,
            _ => return Err(io::Error::other(format!("{path} has no times"))),
        }
    }
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(as_f64(ticks) / as_f64(per_second))
}

/// The resident memory of these processes in bytes.
pub(super) fn resident(processes: &[u32]) -> io::Result<u64> {
    let mut bytes = 0;
    for process in processes {
        let path = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&path)?;
        let kibibytes = status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse::<u64>()
                    .ok()
            })
            .ok_or_else(|| io::Error::other(format!("{path} has no VmRSS")))?;
        bytes += kibibytes * 1024;
    }
    Ok(bytes)
}

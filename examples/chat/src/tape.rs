//! The file of a recording, written on a thread of its own: however slow the disk is, the hub does not wait for it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use tracing::error;

/// How many bytes may wait to be written. With more the disk is too slow, and the recording ends.
const MAX_WAITING: usize = 64 << 20;

/// Dropping it waits until everything is written, unless it has ended.
#[derive(Debug)]
pub(crate) struct Tape {
    /// `None` once there is nothing more to come.
    chunks: Option<Sender<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
    writer: Option<JoinHandle<()>>,
}

/// The recording has ended before the server. The log says why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended;

impl Tape {
    /// Starts a new file; one that is there is never overwritten, for it may be the record of the last crash.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot record to {}: {error}", path.display())))?;
        Self::start(file)
    }

    fn start(file: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        let writer = thread::Builder::new()
            .name("tape".into())
            .spawn(move || write(file, &receiver, &written))?;
        Ok(Self {
            chunks: Some(sender),
            waiting,
            writer: Some(writer),
        })
    }

    /// Queues a chunk; it never waits.
    ///
    /// # Errors
    /// If writing has failed, or if too much waits to be written.
    pub(crate) fn write(&mut self, chunk: Vec<u8>) -> Result<(), Ended> {
        let length = chunk.len();
        if length == 0 {
            return Ok(());
        }
        if self.waiting.fetch_add(length, Ordering::Relaxed) + length > MAX_WAITING {
            error!(MAX_WAITING, "the disk is too slow: recording ends");
            self.chunks = None;
            // What waits is written when the disk gets round to it, and nobody waits for that.
            self.writer = None;
            return Err(Ended);
        }
        let chunks = self.chunks.as_ref().ok_or(Ended)?;
        chunks.send(chunk).map_err(|_| Ended)
    }
}

fn write(mut file: impl Write, chunks: &Receiver<Vec<u8>>, waiting: &AtomicUsize) {
    for chunk in chunks {
        if let Err(error) = file.write_all(&chunk) {
            error!(%error, "recording ends");
            return;
        }
        waiting.fetch_sub(chunk.len(), Ordering::Relaxed);
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.chunks = None;
        if let Some(writer) = self.writer.take() {
            // A writer that has panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use lobbykeeper::{Config, Event, Outbox, Replay, Time};

    use super::*;
    use crate::machine::Machine;

    /// A disk in memory, which takes so many bytes and no more.
    #[derive(Clone)]
    struct Disk {
        content: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Disk {
        fn new(room: usize) -> Self {
            Self {
                content: Arc::default(),
                room,
            }
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut content = self.content.lock().expect("no test panics while it holds it");
            let taken = bytes.len().min(self.room - content.len());
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_is_written_when_the_tape_is_dropped() {
        let disk = Disk::new(1 << 20);
        let mut tape = Tape::start(disk.clone()).expect("a thread");
        for byte in 0..100 {
            tape.write(vec![byte; 100]).expect("there is room");
        }
        drop(tape);
        let content = disk.content.lock().expect("the writer has ended");
        assert_eq!(content.len(), 10_000);
        assert!(content.is_sorted());
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_not_the_server() {
        let disk = Disk::new(4_000);
        let tape = Tape::start(disk.clone()).expect("a thread");
        let mut machine = Machine::new(Config::default(), Some(tape)).expect("the defaults are valid");
        let mut out = Outbox::new();
        let mut turns = 0;
        while matches!(machine, Machine::Recorded(_)) {
            turns += 1;
            machine.event(Time::from_secs(turns), Event::Tick, &mut out);
            machine.end_turn();
        }
        machine.event(Time::ZERO, Event::Tick, &mut out);
        assert_eq!(machine.stats().clock_steps_back, 1, "it is the same manager still");
        // What the disk took can be played.
        let content = disk.content.lock().expect("the writer has ended");
        let mut lines = content.split_inclusive(|&byte| byte == b'\n');
        let mut replay = Replay::new(lines.next().expect("a header"), [0, 0]).expect("a header");
        let played = lines.map_while(|line| replay.apply(line, &mut out).ok()).count();
        assert!(played > 0, "{}", String::from_utf8_lossy(&content));
    }

    /// A disk that fails once and then goes on as if nothing had been.
    struct Hiccup(Disk, usize);

    impl Write for Hiccup {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 2 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_written_after_what_could_not_be() {
        let disk = Disk::new(1 << 20);
        let mut tape = Tape::start(Hiccup(disk.clone(), 0)).expect("a thread");
        for chunk in [b"a", b"b", b"c"] {
            // Whether the failure is known by then is a matter of time.
            let _ = tape.write(chunk.to_vec());
        }
        drop(tape);
        assert_eq!(*disk.content.lock().expect("the writer has ended"), b"a");
    }

    /// A disk that takes nothing until it is told to.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error says that the test is over.
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_is_too_slow_ends_the_recording_and_is_not_waited_for() {
        let (_stuck, disk) = mpsc::channel();
        let mut tape = Tape::start(Stuck(disk)).expect("a thread");
        tape.write(vec![0; MAX_WAITING]).expect("so much may wait");
        assert_eq!(tape.write(vec![0]), Err(Ended));
        assert_eq!(tape.write(vec![0]), Err(Ended));
        let (done, dropped) = mpsc::channel();
        thread::spawn(move || {
            drop(tape);
            done.send(())
        });
        dropped.recv_timeout(Duration::from_secs(60)).expect("this hangs");
    }

    #[test]
    fn what_a_machine_was_told_is_written_though_its_turn_never_ends() {
        let disk = Disk::new(1 << 20);
        let tape = Tape::start(disk.clone()).expect("a thread");
        let mut machine = Machine::new(Config::default(), Some(tape)).expect("the defaults are valid");
        machine.event(Time::ZERO, Event::Tick, &mut Outbox::new());
        drop(machine);
        let content = disk.content.lock().expect("the writer has ended");
        assert_eq!(
            content.split(|&byte| byte == b'\n').count(),
            3,
            "header, input, and the end"
        );
    }
}

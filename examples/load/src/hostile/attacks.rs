//! What is done to the server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType, connect, socket};

use super::{Field, HostileError, healthy};
use crate::frame::{self, FrameError, Inbox};
use crate::load::{self, Pace};

const IDLE: usize = 10_000;
const SLOW: usize = 1_000;
/// Threads of an attack that goes on as fast as it can.
const THREADS: usize = 4;
/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to do a server harm.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// What it is.
    pub name: &'static str,
    /// Does it until it is over, and says what was done.
    pub(super) run: fn(&Field) -> Result<String, HostileError>,
}

/// All of them.
pub const ATTACKS: [Attack; 5] = [
    Attack {
        name: "10,000 idle connections",
        run: idle,
    },
    Attack {
        name: "connects at full speed",
        run: connects,
    },
    Attack {
        name: "slow handshakes",
        run: slow_handshakes,
    },
    Attack {
        name: "bad frames",
        run: bad_frames,
    },
    Attack {
        name: "a reader that never reads",
        run: deaf,
    },
];

/// They do nothing but answer pings. (Each of the lobbies says one word at the start.)
fn idle(field: &Field) -> Result<String, HostileError> {
    let mut settings = healthy(field, "idle-{lobby}", IDLE, load::MIN_PAYLOAD);
    settings.pace = Some(Pace::Rate(0.01));
    settings.measured += Duration::from_secs(2);
    thread::scope(|scope| {
        let crowd = scope.spawn(|| load::run(&settings));
        while !crowd.is_finished() && open_connections(field.address)? < IDLE as u64 {
            thread::sleep(Duration::from_millis(50));
        }
        field.begin();
        let report = crowd.join().expect("the load client does not panic");
        report
            .map(|report| format!("{IDLE} held, {:.0} connects/s", report.connects_per_second))
            .map_err(HostileError::Healthy)
    })
}

/// Half of them come through the upgrade, half leave before, and all of them with a reset.
fn connects(field: &Field) -> Result<String, HostileError> {
    let (done, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    field.begin();
    let begun = Instant::now();
    on_all_threads(|thread| {
        while !field.is_over() {
            let number = done.fetch_add(1, Ordering::Relaxed);
            let visit = if number % 2 == 0 {
                dial(field.address).map(drop)
            } else {
                knock(field.address, &format!("/ws/storm{}?token=storm{thread}", number % 100)).map(drop)
            };
            if visit.is_err() {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    })?;
    let (done, refused) = (done.into_inner(), refused.into_inner());
    let rate = per_second(done, begun);
    Ok(format!("{done} connects, {rate:.0}/s, {refused} failed"))
}

/// A byte of the request now and then. Whoever is dropped comes again.
fn slow_handshakes(field: &Field) -> Result<String, HostileError> {
    let request = request("/ws/den?token=slow");
    let mut visitors: Vec<(TcpStream, usize)> = Vec::new();
    let mut dropped = 0;
    while !field.is_over() {
        while visitors.len() < SLOW && !field.is_over() {
            visitors.push((dial(field.address)?, 0));
        }
        field.begin();
        visitors.retain_mut(|(stream, sent)| {
            // Never the whole of it.
            let byte = request.as_bytes()[*sent % (request.len() - 4)];
            *sent += 1;
            let kept = stream.write_all(&[byte]).is_ok();
            dropped += u32::from(!kept);
            kept
        });
        thread::sleep(Duration::from_millis(100));
    }
    if field.seconds > Duration::from_secs(6) && dropped == 0 {
        return Err(HostileError::Attack("slow handshakes are never given up".to_owned()));
    }
    Ok(format!("{SLOW} at a time, {dropped} were given up"))
}

/// What is no frame, what is too long, and what comes in pieces.
fn bad_frames(field: &Field) -> Result<String, HostileError> {
    let done = AtomicU64::new(0);
    field.begin();
    on_all_threads(|thread| {
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15 ^ thread as u64);
        let mut kind = thread;
        while !field.is_over() {
            let mut stream = knock(field.address, &format!("/ws/noise{thread}?token=noise{thread}"))?;
            // It may cut the client off before it has heard all of this.
            let _ = stream.write_all(&bad(kind, &mut noise));
            if let Err(error) = read_to_the_goodbye(&mut stream) {
                return Err(HostileError::Attack(format!(
                    "bad frames of kind {kind} are put up with: {error}"
                )));
            }
            kind = (kind + 1) % KINDS;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(format!("{} clients, all cut off", done.into_inner()))
}

const KINDS: usize = 8;

/// Something that ends a connection.
fn bad(kind: usize, noise: &mut Noise) -> Vec<u8> {
    let mut bytes = Vec::new();
    match kind {
        // Noise, with a reserved opcode so that it is sure to be wrong.
        0 => {
            bytes.push(0x83);
            bytes.extend((0..4_096).map(|_| noise.byte()));
        }
        // A length beyond everything, and one beyond the limit.
        1 => bytes.extend([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]),
        2 => frame::encode_masked(&mut bytes, frame::TEXT, &vec![b'x'; 1 << 20]),
        // Fragments without end, of one byte and of none, until they are too long or more than there may be.
        3 => fragments(&mut bytes, 100_000, 1),
        4 => fragments(&mut bytes, 3_000, 60),
        // A mask that is missing, a ping in pieces, a text that is not UTF-8.
        5 => frame::encode(&mut bytes, frame::TEXT, b"not masked"),
        6 => bytes.extend([0x09, 0x80, 0, 0, 0, 0]),
        _ => frame::encode_masked(&mut bytes, frame::TEXT, &[0xFF, 0xFE]),
    }
    bytes
}

fn fragments(bytes: &mut Vec<u8>, count: usize, length: u8) {
    for number in 0..count {
        bytes.extend([u8::from(number == 0), 0x80 | length, 0, 0, 0, 0]);
        bytes.extend(std::iter::repeat_n(b'x', length.into()));
    }
}

/// A lobby of its own in which much is said; one in it does not read.
fn deaf(field: &Field) -> Result<String, HostileError> {
    let mut settings = healthy(field, "deaf-{lobby}", 20, 16 * 1_024);
    settings.lobby_size = 20;
    let mut reader = knock_with_buffer(field.address, "/ws/deaf-l000000?token=deaf", Some(4_096))?;
    field.begin();
    let report = load::run(&settings).map_err(HostileError::Healthy)?;
    let said = report.traffic.map_or(0, |traffic| traffic.checked / 19) * 16 / 1_024;
    // What the system holds for it comes first, and then there is an end if it was cut off.
    let held = read_to_the_end(&mut reader)
        .map_err(|error| HostileError::Attack(format!("who never reads is not cut off after {said} MiB: {error}")))?;
    Ok(format!(
        "{said} MiB said, cut off with {:.1} MiB in the system",
        mebibytes(held)
    ))
}

fn on_all_threads(work: impl Fn(usize) -> Result<(), HostileError> + Sync) -> Result<(), HostileError> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let work = &work;
                    move || work(thread)
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("an attack does not panic"))
    })
}

/// A connection that ends with a reset, so that its port can be used again at once.
fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    dial_with_buffer(address, None)
}

fn dial_with_buffer(address: SocketAddr, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let descriptor = socket(family, SocketType::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        sockopt::set_socket_recv_buffer_size(&descriptor, bytes)?;
    }
    sockopt::set_socket_linger(&descriptor, Some(Duration::ZERO))?;
    connect(&descriptor, &address)?;
    let stream = TcpStream::from(descriptor);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A client that has come through the upgrade.
fn knock(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
    knock_with_buffer(address, path, None)
}

fn knock_with_buffer(address: SocketAddr, path: &str, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let mut stream = dial_with_buffer(address, receive_buffer)?;
    stream.write_all(request(path).as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        Ok(stream)
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
    }
}

fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// What there is; 0 at the end, which may be a reset.
fn read_some(stream: &mut TcpStream, chunk: &mut [u8]) -> io::Result<usize> {
    match stream.read(chunk) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
        read => read,
    }
}

/// How much came until the stream ended, however it did.
fn read_to_the_end(stream: &mut TcpStream) -> io::Result<u64> {
    let mut chunk = vec![0; 64 * 1_024];
    let mut total = 0;
    loop {
        match read_some(stream, &mut chunk)? {
            0 => return Ok(total),
            read => total += read as u64,
        }
    }
}

/// Until it is told to go, or until the stream ends.
fn read_to_the_goodbye(stream: &mut TcpStream) -> io::Result<()> {
    let mut inbox = Inbox::default();
    let mut chunk = vec![0; 64 * 1_024];
    let mut told = false;
    while !told {
        let read = read_some(stream, &mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        inbox
            .feed(&mut chunk[..read], |opcode, _| {
                told |= opcode == frame::CLOSE;
                Ok::<_, FrameError>(())
            })
            .map_err(io::Error::other)?;
    }
    Ok(())
}

fn open_connections(address: SocketAddr) -> Result<u64, HostileError> {
    let mut stream = dial(address)?;
    stream.write_all(b"GET /stats HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let json = answer.split_once("\r\n\r\n").map_or("", |(_, json)| json);
    let stats: serde_json::Value = serde_json::from_str(json).map_err(io::Error::from)?;
    Ok(stats["open_connections"].as_u64().unwrap_or(0))
}

/// The same noise each time (xorshift64).
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()[0]
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "sizes here are far below 2^53")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

//! What framing costs for each message, with tungstenite as lobby-epoll uses it and with other libraries that need no
//! runtime: masked texts of a client decoded, sixteen to a read, and one text of the server encoded.
//!
//! Each decoder first takes a copy of the sixteen frames, which stands for reading a socket, and hands out whole texts
//! that are valid UTF-8. Where the library leaves something of that to its user, the bench does it.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

mod libraries;

use std::hint::black_box;
use std::str::from_utf8;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use libraries::{Framing, NexusNet, Tungstenite, VALID, WebsocketCodec, WebsocketSansIo, WsFramer};

/// Bytes of a text. Both lengths take two bytes in the header.
const SIZES: [usize; 2] = [128, 1_024];
/// Frames that lie in one read.
const BURST: usize = 16;

fn text(size: usize) -> String {
    "Is anybody there? ".chars().cycle().take(size).collect()
}

/// The header of a whole text, but for its mask.
fn header(masked: u8, text: &str) -> [u8; 4] {
    let [high, low] = u16::try_from(text.len()).expect("it is short").to_be_bytes();
    [0x81, masked | 0x7e, high, low]
}

/// Frames of the same text, each masked by another key.
fn client_frames(text: &str) -> Vec<u8> {
    let mut frames = Vec::new();
    for key in (1..)
        .map(|number: u32| number.wrapping_mul(0x9E37_79B9).to_be_bytes())
        .take(BURST)
    {
        frames.extend(header(0x80, text));
        frames.extend(key);
        frames.extend(text.bytes().zip(key.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    }
    frames
}

/// What nobody can do without, where all is known beforehand but the key.
#[derive(Default)]
struct Floor(Vec<u8>);

impl Framing for Floor {
    const NAME: &str = "floor";

    fn decode(&mut self, read: &[u8], mut hear: impl FnMut(&str)) {
        self.0.clear();
        self.0.extend(read);
        for frame in self.0.chunks_exact_mut(read.len() / BURST) {
            if let Some((&mut [_, _, _, _, a, b, c, d], payload)) = frame.split_first_chunk_mut() {
                let key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
                // The sizes are multiples of eight, so there is no remainder.
                for eight in payload.as_chunks_mut().0 {
                    *eight = (u64::from_ne_bytes(*eight) ^ key).to_ne_bytes();
                }
                hear(from_utf8(payload).expect(VALID));
            }
        }
    }

    fn encode(&mut self, text: &str, frames: &mut Vec<u8>) {
        frames.extend(header(0, text));
        frames.extend(text.as_bytes());
    }
}

fn measure<F: Framing>(group: &mut BenchmarkGroup<'_, WallTime>) {
    for size in SIZES {
        let text = text(size);
        let read = client_frames(&text);
        let mut framing = F::default();
        let mut heard = Vec::new();
        framing.decode(&read, |text| heard.push(text.to_owned()));
        assert_eq!(heard, vec![text.clone(); BURST], "{} decodes", F::NAME);
        let mut frames = Vec::new();
        framing.encode(&text, &mut frames);
        assert_eq!(
            frames,
            [&header(0, &text), text.as_bytes()].concat(),
            "{} encodes",
            F::NAME
        );

        group.throughput(Throughput::Elements(BURST as u64));
        group.bench_function(BenchmarkId::new(format!("{}, decode", F::NAME), size), |bencher| {
            bencher.iter(|| framing.decode(black_box(&read), |text| _ = black_box(text)));
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new(format!("{}, encode", F::NAME), size), |bencher| {
            bencher.iter(|| {
                frames.clear();
                framing.encode(black_box(&text), black_box(&mut frames));
            });
        });
    }
}

fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing");
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000);
    measure::<Floor>(&mut group);
    measure::<Tungstenite>(&mut group);
    measure::<NexusNet>(&mut group);
    measure::<WebsocketCodec>(&mut group);
    measure::<WebsocketSansIo>(&mut group);
    measure::<WsFramer>(&mut group);
    group.finish();
}

criterion_group!(benches, framing);
criterion_main!(benches);

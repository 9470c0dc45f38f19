//! The libraries, each as a server without a runtime would use it.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::str::from_utf8;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};
use websocket_codec::MessageCodec;
use websocket_codec::protocol::{FrameHeader, FrameHeaderCodec};
use websocket_sans_io::{FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent};
use ws_framer::{WsFrame, WsRxFramer, WsTxFramer};

/// How much lobby-epoll reads of a socket in a turn.
const READ: usize = 32 * 1_024;
pub(crate) const VALID: &str = "the bench sends valid frames";

/// One end of a connection.
pub(crate) trait Framing: Default {
    const NAME: &str;

    /// Hands out the texts of one read.
    fn decode(&mut self, read: &[u8], hear: impl FnMut(&str));

    /// Appends a frame.
    fn encode(&mut self, text: &str, frames: &mut Vec<u8>);
}

/// As in lobby-epoll.
pub(crate) struct Tungstenite(WebSocketContext);

impl Default for Tungstenite {
    fn default() -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1_024)
            .write_buffer_size(0);
        Self(WebSocketContext::new(Role::Server, Some(config)))
    }
}

impl Framing for Tungstenite {
    const NAME: &str = "tungstenite";

    fn decode(&mut self, read: &[u8], mut hear: impl FnMut(&str)) {
        let mut stream = Stream(read);
        loop {
            match self.0.read(&mut stream) {
                Ok(Message::Text(text)) => hear(&text),
                Err(tungstenite::Error::Io(_)) => return,
                other => panic!("{VALID}: {other:?}"),
            }
        }
    }

    fn encode(&mut self, text: &str, frames: &mut Vec<u8>) {
        let header = tungstenite::protocol::frame::FrameHeader {
            opcode: OpCode::Data(Data::Text),
            ..Default::default()
        };
        header
            .format(text.len() as u64, frames)
            .expect("a vector takes everything");
        frames.extend_from_slice(text.as_bytes());
    }
}

/// A socket that has received this. Nothing is written to it.
struct Stream<'a>(&'a [u8]);

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct NexusNet {
    reader: nexus_net::ws::FrameReader,
    writer: nexus_net::ws::FrameWriter,
}

impl Default for NexusNet {
    fn default() -> Self {
        let reader = nexus_net::ws::FrameReader::builder().buffer_capacity(READ).build();
        let writer = nexus_net::ws::FrameWriter::new(nexus_net::ws::Role::Server);
        Self { reader, writer }
    }
}

impl Framing for NexusNet {
    const NAME: &str = "nexus-net";

    fn decode(&mut self, read: &[u8], mut hear: impl FnMut(&str)) {
        self.reader.read(read).expect("there is room");
        while let Some(message) = self.reader.next().expect(VALID) {
            match message {
                nexus_net::ws::Message::Text(text) => hear(text),
                other => panic!("{VALID}: {other:?}"),
            }
        }
    }

    fn encode(&mut self, text: &str, frames: &mut Vec<u8>) {
        let (header, _) = self.writer.build_header(0x81, text.len());
        frames.extend_from_slice(header.as_bytes());
        frames.extend_from_slice(text.as_bytes());
    }
}

/// It has no rules for what a frame may be and follow, and does not look at the text.
pub(crate) struct WebsocketSansIo {
    decoder: WebsocketFrameDecoder,
    encoder: WebsocketFrameEncoder,
    buffer: Vec<u8>,
}

impl Default for WebsocketSansIo {
    fn default() -> Self {
        Self {
            decoder: WebsocketFrameDecoder::new(),
            encoder: WebsocketFrameEncoder::new(),
            buffer: Vec::new(),
        }
    }
}

impl Framing for WebsocketSansIo {
    const NAME: &str = "websocket-sans-io";

    fn decode(&mut self, read: &[u8], mut hear: impl FnMut(&str)) {
        self.buffer.clear();
        self.buffer.extend(read);
        let mut rest = &mut self.buffer[..];
        let mut payload = &mut [][..];
        loop {
            let step = self.decoder.add_data(rest).expect(VALID);
            let (done, left) = mem::take(&mut rest).split_at_mut(step.consumed_bytes);
            rest = left;
            match step.event {
                Some(WebsocketFrameEvent::Start { .. }) => {}
                Some(WebsocketFrameEvent::PayloadChunk { .. }) => payload = done,
                Some(WebsocketFrameEvent::End { .. }) => hear(from_utf8(payload).expect(VALID)),
                None => return,
            }
        }
    }

    fn encode(&mut self, text: &str, frames: &mut Vec<u8>) {
        let header = self.encoder.start_frame(&FrameInfo {
            opcode: Opcode::Text,
            payload_length: text.len() as u64,
            mask: None,
            fin: true,
            reserved: 0,
        });
        frames.extend_from_slice(&header);
        frames.extend_from_slice(text.as_bytes());
    }
}

pub(crate) struct WebsocketCodec {
    codec: MessageCodec,
    buffer: BytesMut,
    header: BytesMut,
}

impl Default for WebsocketCodec {
    fn default() -> Self {
        Self {
            codec: MessageCodec::server(),
            buffer: BytesMut::new(),
            header: BytesMut::new(),
        }
    }
}

impl Framing for WebsocketCodec {
    const NAME: &str = "websocket-codec";

    fn decode(&mut self, read: &[u8], mut hear: impl FnMut(&str)) {
        self.buffer.extend_from_slice(read);
        while let Some(message) = self.codec.decode(&mut self.buffer).expect(VALID) {
            hear(message.as_text().expect(VALID));
        }
    }

    fn encode(&mut self, text: &str, frames: &mut Vec<u8>) {
        let header = FrameHeader::new(true, 0, websocket_codec::Opcode::Text.into(), None, text.len().into());
        self.header.clear();
        FrameHeaderCodec
            .encode(&header, &mut self.header)
            .expect("it never fails");
        frames.extend_from_slice(&self.header);
        frames.extend_from_slice(text.as_bytes());
    }
}

/// It reads and writes buffers of a fixed size that it borrows.
pub(crate) struct WsFramer {
    inbound: Vec<u8>,
    outbound: Vec<u8>,
}

impl Default for WsFramer {
    fn default() -> Self {
        Self {
            inbound: vec![0; READ],
            outbound: vec![0; READ],
        }
    }
}

impl Framing for WsFramer {
    const NAME: &str = "ws-framer";

    fn decode(&mut self, read: &[u8], mut hear: impl FnMut(&str)) {
        let mut reader = WsRxFramer::new(&mut self.inbound);
        reader.read_buf()[..read.len()].copy_from_slice(read);
        reader.advance(read.len());
        while let Some(frame) = reader.next_frame() {
            match frame.expect(VALID) {
                WsFrame::Text(text) => hear(text),
                other => panic!("{VALID}: {other:?}"),
            }
        }
    }

    fn encode(&mut self, text: &str, frames: &mut Vec<u8>) {
        let mut writer = WsTxFramer::new(false, &mut self.outbound);
        frames.extend_from_slice(writer.text(text).expect("there is room"));
    }
}

//! A `tokio::sync::broadcast` for the lobby, and a receiver for each member. No runtime: nobody waits, since all receive
//! what has just been sent, so this is less than what a server with a task for each member does.

use bytes::Bytes;
use tokio::sync::broadcast::{self, Receiver, Sender};

pub(crate) struct Channel {
    sender: Sender<Bytes>,
    receivers: Vec<Receiver<Bytes>>,
}

impl Channel {
    pub(crate) fn new(members: u32) -> Self {
        let (sender, _) = broadcast::channel(16);
        Self {
            receivers: (0..members).map(|_| sender.subscribe()).collect(),
            sender,
        }
    }

    pub(crate) fn broadcast(&mut self, payload: Bytes, sink: impl Fn(u32, Bytes)) -> usize {
        self.sender.send(payload).expect("there are receivers");
        for (receiver, id) in self.receivers.iter_mut().zip(0..) {
            sink(id, receiver.try_recv().expect("it has just been sent"));
        }
        self.receivers.len()
    }
}

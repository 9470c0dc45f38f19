//! The example as its users see it: the binary on a port of its own, and real clients.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tungstenite::{Error, Message, WebSocket};

/// Far longer than anything here takes: a test that hangs is to fail.
const GUARD: Duration = Duration::from_secs(60);

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lobby-threads"))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        let address = url
            .strip_prefix("ws://")
            .and_then(|url| url.split('/').next())
            .unwrap()
            .to_owned();
        Self { process, address }
    }

    fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        stream.set_write_timeout(Some(GUARD)).unwrap();
        stream
    }

    fn connect(&self, path: &str) -> Client {
        let url = format!("ws://{}{path}", self.address);
        let (socket, _) = tungstenite::client(url, self.stream()).unwrap();
        Client(socket)
    }

    /// A client that has been admitted, which its pong proves.
    fn join(&self, path: &str) -> Client {
        let mut client = self.connect(path);
        client.0.send(Message::Ping("here?".into())).unwrap();
        assert_eq!(client.0.read().unwrap(), Message::Pong("here?".into()));
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

struct Client(WebSocket<TcpStream>);

impl Client {
    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The next text; pings of the server are answered on the way.
    fn hear(&mut self) -> String {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads until the server has said good-bye in these words, and the closing handshake is over.
    fn expect_close(mut self, code: u16, reason: &str) {
        loop {
            match self.0.read().unwrap() {
                Message::Close(frame) => {
                    let frame = frame.expect("a code and a reason");
                    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (code, reason));
                    break;
                }
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(self.0.read(), Err(Error::ConnectionClosed)));
    }
}

#[test]
fn a_line_reaches_all_others_in_the_lobby() {
    let server = Server::start();
    let [mut ann, mut bob, mut cid] = ["/den/ann", "/den/bob", "/den/cid"].map(|path| server.join(path));
    let mut other = server.join("/attic/dan");
    ann.say("hello");
    assert_eq!((bob.hear(), cid.hear()), ("ann: hello".into(), "ann: hello".into()));
    bob.say("hi");
    assert_eq!(ann.hear(), "bob: hi", "and not her own line");
    assert_eq!(cid.hear(), "bob: hi");
    let mut dora = server.join("/attic/dora");
    dora.say("quiet here");
    assert_eq!(other.hear(), "dora: quiet here", "and nothing from the den");
}

#[test]
fn one_too_many_is_turned_away_with_code_and_reason_after_the_upgrade() {
    let server = Server::start();
    let mut members: Vec<_> = (0..10).map(|number| server.join(&format!("/den/{number}"))).collect();
    server.connect("/den/one-too-many").expect_close(4002, "lobby_full");
    server.connect("/den/").expect_close(4004, "invalid_name");
    server.connect("/").expect_close(4004, "invalid_name");
    // Whoever goes makes room, with or without good-byes.
    let mut polite = members.pop().unwrap();
    polite.0.close(None).unwrap();
    assert!(matches!(polite.0.read(), Ok(Message::Close(_))));
    assert!(matches!(polite.0.read(), Err(Error::ConnectionClosed)));
    let _abrupt = members.pop().unwrap().0.get_ref().shutdown(Shutdown::Both);
    let mut newcomers = Vec::new();
    while newcomers.len() < 2 {
        // The server may not have noticed yet.
        let mut client = server.connect("/den/newcomer");
        client.0.send(Message::Ping("here?".into())).unwrap();
        if let Message::Pong(_) = client.0.read().unwrap() {
            newcomers.push(client);
        }
    }
    newcomers[0].say("room at last");
    assert_eq!(members[0].hear(), "newcomer: room at last");
}

#[test]
fn one_who_does_not_read_is_dropped_and_delays_nobody() {
    let server = Server::start();
    let (mut ann, mut bob) = (server.join("/den/ann"), server.join("/den/bob"));
    let mut deaf = server.join("/den/deaf");
    let line = "x".repeat(60_000);
    // Enough for the buffers of two kernels and for the queue.
    for _ in 0..1_000 {
        ann.say(&line);
        assert_eq!(bob.hear().len(), line.len() + "ann: ".len());
    }
    let end = loop {
        match deaf.0.read() {
            Ok(_) => {}
            Err(Error::Io(error)) => break error.kind(),
            Err(_) => return,
        }
    };
    assert!(
        !matches!(end, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "still there"
    );
}

#[test]
fn a_slow_handshake_delays_nobody() {
    let server = Server::start();
    let _silent: Vec<_> = (0..20).map(|_| server.stream()).collect();
    let (mut ann, mut bob) = (server.join("/den/ann"), server.join("/den/bob"));
    ann.say("hello");
    assert_eq!(bob.hear(), "ann: hello");
}

"""A peer to compare with: uWebSockets with a Python front (socketify), one topic per lobby. No limits, no health
checks. uWebSockets sets TCP_NODELAY on every socket."""

import json
import socket

from socketify import App, AppListenOptions, OpCode
from socketify.native import lib


def upgrade(response, request, context):
    lobby, user = request.get_parameter(0), request.get_query("token")
    key = request.get_header("sec-websocket-key")
    protocol = request.get_header("sec-websocket-protocol")
    extensions = request.get_header("sec-websocket-extensions")
    response.upgrade(key, protocol, extensions, context, (lobby, user))


def opened(websocket):
    lobby, _ = websocket.get_user_data()
    websocket.subscribe(lobby)


def received(websocket, message, opcode):
    message = json.loads(message)
    if message["type"] == "chat":
        lobby, user = websocket.get_user_data()
        said = {"type": "chat", "from": user, "text": message["text"]}
        publish(websocket, lobby.encode(), json.dumps(said, separators=(",", ":")).encode())


def publish(websocket, topic, message):
    """To all but the sender. The method `publish` of a socket in socketify goes to the sender as well, unlike that of
    uWebSockets, which this calls."""
    lib.uws_ws_publish_with_options(
        websocket.app.SSL, websocket.ws, topic, len(topic), message, len(message), int(OpCode.TEXT), False
    )


# The library tells its listener's port only after it listens, and not the one it was given for 0.
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]

app = App()
app.ws(
    "/ws/:lobby",
    {
        "upgrade": upgrade,
        "open": opened,
        "message": received,
        "max_backpressure": 64 * 1024 * 1024,
        "idle_timeout": 120,
    },
)
app.listen(
    AppListenOptions(port=port, host="127.0.0.1"),
    lambda _: print(f"http://127.0.0.1:{port}", flush=True),
)
app.run()

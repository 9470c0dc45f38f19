"""A peer to compare with: FastAPI with the usual connection manager, under uvicorn with uvloop. No limits, no health
checks. uvloop sets TCP_NODELAY on every socket by default; compression is off since the load client offers none."""

import json
import socket

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect


class ConnectionManager:
    def __init__(self):
        self.lobbies: dict[str, set[WebSocket]] = {}

    async def connect(self, lobby: str, websocket: WebSocket):
        await websocket.accept()
        self.lobbies.setdefault(lobby, set()).add(websocket)

    def disconnect(self, lobby: str, websocket: WebSocket):
        members = self.lobbies[lobby]
        members.discard(websocket)
        if not members:
            del self.lobbies[lobby]

    async def broadcast(self, lobby: str, message: str, sender: WebSocket):
        for member in list(self.lobbies[lobby]):
            if member is not sender:
                await member.send_text(message)


app = FastAPI()
manager = ConnectionManager()


@app.websocket("/ws/{lobby}")
async def chat(websocket: WebSocket, lobby: str, token: str):
    await manager.connect(lobby, websocket)
    try:
        while True:
            message = json.loads(await websocket.receive_text())
            if message["type"] == "chat":
                said = {"type": "chat", "from": token, "text": message["text"]}
                await manager.broadcast(lobby, json.dumps(said, separators=(",", ":")), websocket)
    except WebSocketDisconnect:
        manager.disconnect(lobby, websocket)


listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False)
uvicorn.Server(config).run(sockets=[listener])

// A peer to compare with: `ws` and the usual loop over a Map of lobbies. No limits, no health checks.
// `ws` sets TCP_NODELAY on every socket and compresses nothing by default.
import { createServer } from "node:http";
import { WebSocketServer, WebSocket } from "ws";

const lobbies = new Map();
const http = createServer((request, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ server: http });

sockets.on("connection", (socket, request) => {
  const url = new URL(request.url, "http://localhost");
  const lobby = url.pathname.slice("/ws/".length);
  const user = url.searchParams.get("token");
  if (!lobbies.has(lobby)) lobbies.set(lobby, new Set());
  const members = lobbies.get(lobby);
  members.add(socket);

  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type !== "chat") return;
    const said = JSON.stringify({ type: "chat", from: user, text: message.text });
    for (const member of members) {
      if (member !== socket && member.readyState === WebSocket.OPEN) member.send(said);
    }
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    members.delete(socket);
    if (members.size === 0) lobbies.delete(lobby);
  });
});

http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));

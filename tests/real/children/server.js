// A Node server on the descriptor that its argument names: answers after a moment, and stops in an orderly way.
const server = require("http").createServer((request, response) => {
  setTimeout(() => response.end("ok"), 20);
});
server.listen({ fd: Number(process.argv[2]) });
process.on("SIGTERM", () => server.close());

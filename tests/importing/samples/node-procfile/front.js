const port = process.argv[2].split("=")[1];
require("http").createServer((_, answer) => answer.end(process.env.BACKEND)).listen(port, "127.0.0.1");

require("http").createServer((_, answer) => answer.end("api")).listen(process.env.PORT, "127.0.0.1");

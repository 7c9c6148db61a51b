require("http").createServer((_, answer) => answer.end("hello")).listen(process.env.PORT, "127.0.0.1");

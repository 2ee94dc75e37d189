// Node's fetch, and its http module with an agent that keeps connections.
import { readFileSync } from "node:fs";
import http from "node:http";

const [base, ...files] = process.argv.slice(2);
const [row, many] = files.map((file) => readFileSync(file));
const address = `${base}/predict/mc?seed=42&passes=100`;
const headers = { "Content-Type": "application/json" };

function tell(name, status, body) {
  console.log(`${name}\t${status}\t${body}`);
}

async function fetched(name, url, options) {
  const answer = await fetch(url, options);
  tell(name, answer.status, await answer.text());
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function requested(name, url, options, send) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, ...options }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (part) => { body += part; });
      answer.on("end", () => resolve(tell(name, answer.statusCode, body)));
    });
    request.on("error", reject);
    send(request);
  });
}

await fetched("row", address, { method: "POST", headers, body: row });
await fetched("row", address, { method: "POST", headers, body: row });
const body = new Blob([row]).stream();
await fetched("row", address, { method: "POST", headers, body, duplex: "half" });
await fetched("many", address, { method: "POST", headers, body: many });
await fetched("head", `${base}/health/live`, { method: "HEAD" });

const gzip = { ...headers, "Accept-Encoding": "gzip" };
await requested("row", address, { method: "POST", headers: gzip }, (request) => request.end(row));
await requested("row", address, { method: "POST", headers }, (request) => {
  // Two writes and no length: in chunks.
  request.write(row.subarray(0, 10));
  request.end(row.subarray(10));
});
const expecting = { ...headers, Expect: "100-continue", "Content-Length": many.length };
await requested("many", address, { method: "POST", headers: expecting }, (request) => {
  request.flushHeaders();
  request.on("continue", () => request.end(many));
});
await requested("head", `${base}/health/live`, { method: "HEAD" }, (request) => request.end());

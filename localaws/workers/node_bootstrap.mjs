// The process of a worker in Node.js: asks the Runtime API for events and answers them.
// docs: lambda/latest/dg/runtimes-api.html, lambda/latest/dg/nodejs-handler.html
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

// Once standard input closes, whoever started this process has ended.
process.stdin.on("end", () => process.exit(1)).on("error", () => process.exit(1)).resume();
process.stdin.unref?.();

// Node.js helpers of custom resources (the CDK's own are among them) drop the port of the response URL, as AWS has none in it.
const secure = process.env.LOCALAWS_HTTPS_PORT;
delete process.env.LOCALAWS_HTTPS_PORT;
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...options) {
  const given = Array.isArray(options[0]) ? options[0][0] : options[0];
  if (secure && given?.host === "127.0.0.1" && Number(given.port) === 443) given.port = Number(secure);
  return connect.apply(this, options);
};

function call(method, place, body) {
  return new Promise((resolve, reject) => {
    const options = { agent, host, port, method, path: `/2018-06-01/runtime/${place}`, timeout: 0 };
    const request = http.request(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

function described(error) {
  const known = error instanceof Error || (error && error.name && error.message);
  const trace = known && error.stack ? String(error.stack).split("\n") : [];
  return JSON.stringify({
    errorType: known ? error.name : typeof error,
    errorMessage: known ? error.message : String(error),
    trace,
  });
}

async function load() {
  const named = process.env._HANDLER;
  const dot = named.lastIndexOf(".");
  const [file, exported] = [named.slice(0, dot), named.slice(dot + 1)];
  const base = path.join(process.env.LAMBDA_TASK_ROOT, file);
  const found = [".js", ".mjs", ".cjs"].map((ending) => base + ending).find(existsSync);
  if (!found) throw Object.assign(new Error(`Cannot find module '${file}'`), { name: "Runtime.ImportModuleError" });
  let module;
  try {
    module = found.endsWith(".mjs") ? await import(pathToFileURL(found)) : createRequire(found)(found);
  } catch (error) {
    if (error.code !== "ERR_REQUIRE_ESM" && !(error instanceof SyntaxError)) throw error;
    module = await import(pathToFileURL(found));
  }
  const handler = module[exported] ?? module.default?.[exported];
  if (typeof handler !== "function") {
    throw Object.assign(new Error(`${named} is undefined or not exported`), { name: "Runtime.HandlerNotFound" });
  }
  return handler;
}

function contextOf(headers) {
  const environment = process.env;
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

// A handler with three parameters answers by its callback; any other by what it returns, a promise or not.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    const returned = handler(event, context, callback);
    if (handler.length < 3 || typeof returned?.then === "function") Promise.resolve(returned).then(resolve, reject);
  });
}

let handler;
try {
  handler = await load();
} catch (error) {
  console.error(error);
  await call("POST", "init/error", described(error));
  process.exit(1);
}
for (;;) {
  const next = await call("GET", "invocation/next");
  if (next.status !== 200) process.exit(0);
  const id = next.headers["lambda-runtime-aws-request-id"];
  try {
    const result = await run(handler, JSON.parse(next.text), contextOf(next.headers));
    await call("POST", `invocation/${id}/response`, JSON.stringify(result) ?? "null");
  } catch (error) {
    console.error(error);
    await call("POST", `invocation/${id}/error`, described(error));
  }
}

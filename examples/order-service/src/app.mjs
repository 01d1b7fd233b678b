import { createServer } from "node:http";
import { beforeAnswer, release } from "./behaviour.mjs";
import { createOrders, InvalidOrder } from "./orders.mjs";

const maxBodyBytes = 64 * 1_024;

/** The HTTP server of the service, not yet listening. `version` is what answers carry in `x-version`. */
export function createApp({ version, log = () => {} }) {
  const orders = createOrders();
  let sequence = 0;
  return createServer(async (request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, { "content-type": "application/json", "x-version": version });
      response.end(`${JSON.stringify(body)}\n`);
    };
    try {
      if (request.url === "/healthz") return answer(200, { status: "ok", version, release });
      sequence += 1;
      await beforeAnswer(sequence);
      const { status, body } = await route(request, orders);
      answer(status, body);
    } catch (error) {
      const known = error instanceof InvalidOrder;
      if (!known) log({ level: "error", message: error.message });
      answer(known ? 400 : 500, { error: known ? error.message : "something went wrong" });
    }
  });
}

async function route(request, orders) {
  const { pathname } = new URL(request.url, "http://service");
  const [, collection, id, ...rest] = pathname.split("/");
  if (collection !== "orders" || rest.length > 0) return { status: 404, body: { error: "no such path" } };
  if (request.method === "POST" && id === undefined) {
    return { status: 201, body: orders.place(await readJson(request)) };
  }
  if (request.method !== "GET") return { status: 405, body: { error: "only GET, and POST to /orders" } };
  if (id === undefined) return { status: 200, body: { orders: orders.list() } };
  const order = orders.find(id);
  return order === undefined ? { status: 404, body: { error: `no order ${id}` } } : { status: 200, body: order };
}

async function readJson(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > maxBodyBytes) throw new InvalidOrder("the order is too large");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidOrder("the body is not JSON");
  }
}

/** Where a step finds its proxy: a port on the loopback of its own network namespace. */
const portInside = 3_128;
export const socketInside = "/slipway/network.sock";
export const proxyInside = `http://127.0.0.1:${portInside}`;

/**
 * Runs inside: the loopback port leads to the platform's socket, since package managers know no proxy on a socket. Becomes the step's parent and
 * ends as it ends.
 */
export const forwarderProgram = `
const net = require("node:net"), { spawn } = require("node:child_process");
const [socket, port, program, ...args] = process.argv.slice(1);
const server = net.createServer((near) => {
  const far = net.connect(socket);
  const end = () => { near.destroy(); far.destroy(); };
  near.on("error", end).on("close", end).pipe(far).on("error", end).on("close", end).pipe(near);
});
server.listen(Number(port), "127.0.0.1", () => {
  const child = spawn(program, args, { stdio: "inherit" });
  child.on("error", (error) => { console.error(error.message); process.exit(127); });
  child.on("exit", (code, signal) => { if (signal) process.kill(process.pid, signal); else process.exit(code); });
});
server.on("error", (error) => { console.error(error.message); process.exit(126); });
`;

/** A step's command with the forwarder as its parent; `node` is how Node is called inside. */
export function forwarded(
  command: readonly [string, ...string[]],
  node: readonly string[],
): readonly [string, ...string[]] {
  const [program = "node", ...args] = node;
  return [program, ...args, "-e", forwarderProgram, socketInside, String(portInside), ...command];
}
